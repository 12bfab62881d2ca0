package gguf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const (
	magic = "GGUF"

	// The longest string and the largest array that ggml accepts.
	maxString = 1 << 30
	maxArray  = 1 << 30
	// ggml compares each name with all before it, so that a million of them take
	// minutes; real files have a few dozen keys and at most some ten thousand tensors.
	maxKeys    = 1 << 16
	maxTensors = 1 << 16
	// Real metadata is some tens of megabytes; more is held in memory twice by llama.cpp.
	maxMetadata = 1 << 30

	maxDims = 4

	// The fewest bytes that a key with its value, and a tensor's row, can take.
	minKeyBytes    = 8 + 4 + 1
	minTensorBytes = 8 + 4 + 4 + 8
)

// Open reads the metadata of the file at path.
//
// The error wraps one of the package's sentinels or that of the operating
// system, and reads as one line with the cause and the next step.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	defer file.Close() //nolint:errcheck // only read from
	info, err := file.Stat()
	if err != nil {
		return nil, openError(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path, info)
	}
	f, err := Parse(file, info.Size())
	if err != nil {
		return nil, withPath(path, err)
	}
	f.Path = path
	return f, nil
}

// Parse reads the metadata of a GGUF of size bytes that begins at r's offset 0.
func Parse(r io.ReaderAt, size int64) (*File, error) {
	if size <= 0 {
		return nil, &Error{Offset: -1, Kind: ErrEmpty, Text: "it has no bytes", Hint: hintDownload}
	}
	in := newReader(r, size)
	f := &File{Size: size}
	keys, tensors := in.header(f)
	in.keyValues(f, keys)
	in.alignment(f)
	in.tensors(f, tensors)
	if in.err != nil {
		return nil, in.err
	}
	in.dataOffset(f)
	return f, in.err
}

func openError(path string, err error) error {
	text, hint := "cannot be opened", "check its permissions"
	if errors.Is(err, fs.ErrNotExist) {
		text, hint = "there is no such file", hintPath
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return &Error{Path: path, Offset: -1, Kind: err, Text: text, Hint: hint}
}

func notRegular(path string, info fs.FileInfo) error {
	what, hint := "it is a device, pipe or socket", "name a .gguf file"
	if info.IsDir() {
		what, hint = "it is a directory", "name a .gguf file in it"
	}
	return &Error{Path: path, Offset: -1, Kind: ErrDirectory, Text: what, Hint: hint}
}

func withPath(path string, err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Path = path
	}
	return err
}

// header reads magic, version and the two counts.
func (r *reader) header(f *File) (keys, tensors uint64) {
	r.magic()
	r.what = "the header"
	f.Version = r.u32()
	r.version(f.Version)
	tensors = r.count("tensors", maxTensors, minTensorBytes)
	keys = r.count("keys", maxKeys, minKeyBytes)
	return keys, tensors
}

func (r *reader) magic() {
	head, err := r.r.Peek(int(min(uint64(sniffLen), r.remaining())))
	if err != nil {
		r.fail(err, "check the disk", "cannot read the first bytes")
		return
	}
	if len(head) >= len(magic) && string(head[:len(magic)]) == magic {
		_, _ = r.r.Discard(len(magic))
		r.pos += int64(len(magic))
		return
	}
	text, hint := sniff(head, r.size)
	r.fail(ErrNotGGUF, hint, "%s", text)
}

func (r *reader) version(v uint32) {
	switch {
	case r.err != nil:
	case v == 1:
		r.fail(ErrVersion, hintConvert, "it is version 1, which llama.cpp no longer reads")
	case v&0xffff == 0 && v != 0:
		r.fail(ErrBigEndian, "convert it again without --bigendian", "it was written for a big-endian machine")
	case v != 2 && v != 3:
		r.fail(ErrVersion, "use a newer axon, or a file of version 3", "it is version %d; versions 2 and 3 are known", v)
	}
}

// count reads a number of items and compares it with the bytes that could hold them.
func (r *reader) count(name string, limit, each uint64) uint64 {
	n := r.u64()
	if r.err != nil {
		return 0
	}
	if n > limit {
		r.fail(ErrAbsurd, hintDownload, "the header announces %d %s, more than %d", n, name, limit)
		return 0
	}
	r.what = "the table of " + name
	if !r.need(n, each) {
		return 0
	}
	r.what = "the header"
	return n
}

func (r *reader) keyValues(f *File, n uint64) {
	for i := range n {
		r.what = fmt.Sprintf("key %d", i)
		kv := KV{Key: r.text()}
		r.what = fmt.Sprintf("the value of key \"%s\"", clip(kv.Key))
		kv.Value = r.value(ValueType(r.u32()))
		if r.err == nil && r.pos > maxMetadata {
			r.fail(ErrAbsurd, hintDownload, "its metadata exceeds %d bytes", maxMetadata)
		}
		if r.err != nil {
			return
		}
		f.KVs = append(f.KVs, kv)
	}
	f.index()
}

func (r *reader) value(t ValueType) any {
	switch {
	case r.err != nil:
		return nil
	case t == TypeString:
		return r.text()
	case t == TypeArray:
		return r.array()
	case int(t) < len(valueSizes):
		return decodeScalar(t, r.bytes(valueSizes[t]))
	}
	r.fail(ErrMalformed, hintDownload, "%s has %v", r.what, t)
	return nil
}

func (r *reader) array() any {
	elem, n := ValueType(r.u32()), r.u64()
	if r.err == nil && n > maxArray {
		r.fail(ErrAbsurd, hintDownload, "%s is an array of %d, more than %d", r.what, n, maxArray)
	}
	if r.err != nil {
		return nil
	}
	return r.elements(elem, n)
}

func (r *reader) elements(t ValueType, n uint64) any {
	switch t {
	case TypeString:
		return r.texts(n)
	case TypeUint8:
		return numbers[uint8](r, n, 1)
	case TypeInt8:
		return numbers[int8](r, n, 1)
	case TypeBool:
		return numbers[bool](r, n, 1)
	case TypeUint16:
		return numbers[uint16](r, n, 2)
	case TypeInt16:
		return numbers[int16](r, n, 2)
	case TypeUint32:
		return numbers[uint32](r, n, 4)
	case TypeInt32:
		return numbers[int32](r, n, 4)
	case TypeFloat32:
		return numbers[float32](r, n, 4)
	case TypeUint64:
		return numbers[uint64](r, n, 8)
	case TypeInt64:
		return numbers[int64](r, n, 8)
	case TypeFloat64:
		return numbers[float64](r, n, 8)
	}
	r.fail(ErrMalformed, hintDownload, "%s is an array of %v", r.what, t)
	return nil
}

// alignment is needed to find the data, so a bad one ends the reading.
func (r *reader) alignment(f *File) {
	f.Alignment = DefaultAlignment
	v, ok := f.Get("general.alignment")
	if !ok || r.err != nil {
		return
	}
	a, isU32 := v.(uint32)
	if !isU32 || a == 0 || a&(a-1) != 0 {
		r.fail(ErrMalformed, hintConvert, "general.alignment is %v (%s), not a power of two of type u32", clipValue(v), describeType(v))
		return
	}
	f.Alignment = int64(a)
}

func (r *reader) tensors(f *File, n uint64) {
	for i := range n {
		r.what = fmt.Sprintf("row %d of the table of tensors", i)
		t := Tensor{Name: r.text()}
		t.Dims = r.dims(t.Name)
		t.Type = Type(r.u32())
		t.Offset = r.u64()
		if r.err != nil {
			return
		}
		t.Size, _ = tensorBytes(t.Type, t.Dims)
		f.Tensors = append(f.Tensors, t)
	}
}

func (r *reader) dims(name string) []int64 {
	n := r.u32()
	if r.err == nil && n > maxDims {
		r.fail(ErrAbsurd, hintDownload, "tensor %s has %d dimensions, more than %d", clip(name), n, maxDims)
	}
	if r.err != nil {
		return nil
	}
	dims := make([]int64, n)
	for i := range dims {
		dims[i] = int64(r.u64())
	}
	return dims
}

// dataOffset places the data behind the table. Where the file ends before that,
// Check names the first tensor that is missing.
func (r *reader) dataOffset(f *File) {
	f.DataOffset = r.pos
	if len(f.Tensors) > 0 {
		f.DataOffset = pad(r.pos, f.Alignment)
	}
}
