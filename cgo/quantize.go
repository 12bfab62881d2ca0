package llama

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// QuantizeParams says how to quantise a model file.
type QuantizeParams struct {
	Type    string // a file type: "q4_0", "q8_0", "q4_k_m", …
	Threads int    // 0: all cores
	Requant bool   // allow to quantise tensors that are quantised already
	Pure    bool   // give every matrix the one type, without llama.cpp's mixtures
}

// QuantizeFile writes a quantised copy of a GGUF model.
func QuantizeFile(in, out string, p QuantizeParams) error {
	if err := Init(); err != nil {
		return err
	}
	cin, cout, ctype := C.CString(in), C.CString(out), C.CString(strings.ToLower(p.Type))
	defer C.free(unsafe.Pointer(cin))
	defer C.free(unsafe.Pointer(cout))
	defer C.free(unsafe.Pointer(ctype))
	if C.ax_file_type(ctype) < 0 {
		return fmt.Errorf("%w %q for a quantisation; try q4_0, q8_0, q4_k_m or f16", ErrOption, p.Type)
	}
	var e C.ax_error
	if C.ax_quantize_model(cin, cout, ctype, C.int(p.Threads), C.bool(p.Requant), C.bool(p.Pure), &e) != 0 {
		return failure(&e)
	}
	return nil
}

// TensorType is a ggml tensor type, as stored in GGUF files.
type TensorType int

// ParseTensorType finds a tensor type by ggml's name for it, as in "q4_0".
func ParseTensorType(name string) (TensorType, error) {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	t := C.ax_tensor_type(cname)
	if t < 0 {
		return 0, fmt.Errorf("%w %q for a tensor type; try f16, q8_0 or q4_0", ErrOption, name)
	}
	return TensorType(t), nil
}

func (t TensorType) String() string { return C.GoString(C.ax_tensor_type_name(C.int(t))) }

// RowSize is the number of bytes of a row of n elements, or -1 when the type
// is unknown or n is not a whole number of its blocks.
func (t TensorType) RowSize(n int64) int64 { return int64(C.ax_row_size(C.int(t), C.int64_t(n))) }

// QuantizeRows converts rows of float32, each perRow elements long, into dst.
func QuantizeRows(t TensorType, src []float32, perRow int, dst []byte) error {
	if perRow <= 0 || len(src)%perRow != 0 {
		return fmt.Errorf("%d values are not rows of %d", len(src), perRow)
	}
	rows := len(src) / perRow
	size := t.RowSize(int64(perRow))
	if size < 0 || int64(len(dst)) != size*int64(rows) {
		return fmt.Errorf("%s: %d bytes for %d rows of %d values", t, len(dst), rows, perRow)
	}
	if rows == 0 {
		return nil
	}
	var e C.ax_error
	if C.ax_quantize_rows(C.int(t), (*C.float)(&src[0]), C.int64_t(rows), C.int64_t(perRow), unsafe.Pointer(&dst[0]), &e) != 0 {
		return failure(&e)
	}
	return nil
}
