package gguf

import (
	"fmt"
	"math"
	"math/bits"
)

// Type is the number format of a tensor (ggml_type).
type Type uint32

// The tensor types of ggml 0.25.
const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q8_1   Type = 9
	Q2_K   Type = 10
	Q3_K   Type = 11
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	Q8_K   Type = 15
	IQ2XXS Type = 16
	IQ2XS  Type = 17
	IQ3XXS Type = 18
	IQ1S   Type = 19
	IQ4NL  Type = 20
	IQ3S   Type = 21
	IQ2S   Type = 22
	IQ4XS  Type = 23
	I8     Type = 24
	I16    Type = 25
	I32    Type = 26
	I64    Type = 27
	F64    Type = 28
	IQ1M   Type = 29
	BF16   Type = 30
	TQ1_0  Type = 34
	TQ2_0  Type = 35
	MXFP4  Type = 39
	NVFP4  Type = 40
	Q1_0   Type = 41
	Q2_0   Type = 42
)

// layout is how a type is stored: numbers per block, bytes per block.
type layout struct {
	name  string
	block int64
	bytes int64
	// weight says that llama.cpp can multiply by a matrix of this type.
	weight bool
}

var layouts = map[Type]layout{
	F32:    {"f32", 1, 4, true},
	F16:    {"f16", 1, 2, true},
	BF16:   {"bf16", 1, 2, true},
	Q1_0:   {"q1_0", 128, 18, true},
	Q2_0:   {"q2_0", 64, 18, true},
	Q4_0:   {"q4_0", 32, 18, true},
	Q4_1:   {"q4_1", 32, 20, true},
	Q5_0:   {"q5_0", 32, 22, true},
	Q5_1:   {"q5_1", 32, 24, true},
	Q8_0:   {"q8_0", 32, 34, true},
	Q8_1:   {"q8_1", 32, 36, false},
	Q2_K:   {"q2_K", 256, 84, true},
	Q3_K:   {"q3_K", 256, 110, true},
	Q4_K:   {"q4_K", 256, 144, true},
	Q5_K:   {"q5_K", 256, 176, true},
	Q6_K:   {"q6_K", 256, 210, true},
	Q8_K:   {"q8_K", 256, 292, false},
	IQ2XXS: {"iq2_xxs", 256, 66, true},
	IQ2XS:  {"iq2_xs", 256, 74, true},
	IQ2S:   {"iq2_s", 256, 82, true},
	IQ3XXS: {"iq3_xxs", 256, 98, true},
	IQ3S:   {"iq3_s", 256, 110, true},
	IQ1S:   {"iq1_s", 256, 50, true},
	IQ1M:   {"iq1_m", 256, 56, true},
	IQ4NL:  {"iq4_nl", 32, 18, true},
	IQ4XS:  {"iq4_xs", 256, 136, true},
	TQ1_0:  {"tq1_0", 256, 54, true},
	TQ2_0:  {"tq2_0", 256, 66, true},
	MXFP4:  {"mxfp4", 32, 17, true},
	NVFP4:  {"nvfp4", 64, 36, true},
	I8:     {"i8", 1, 1, false},
	I16:    {"i16", 1, 2, false},
	I32:    {"i32", 1, 4, false},
	I64:    {"i64", 1, 8, false},
	F64:    {"f64", 1, 8, false},
}

// removed names the types that older files may hold and llama.cpp no longer reads.
var removed = map[Type]string{
	4: "q4_2", 5: "q4_3",
	31: "q4_0_4_4", 32: "q4_0_4_8", 33: "q4_0_8_8",
	36: "iq4_nl_4_4", 37: "iq4_nl_4_8", 38: "iq4_nl_8_8",
}

// String returns ggml's name of the type.
func (t Type) String() string {
	if l, ok := layouts[t]; ok {
		return l.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Known reports whether ggml has the type.
func (t Type) Known() bool {
	_, ok := layouts[t]
	return ok
}

// Block returns how many numbers share one block, 0 for an unknown type.
func (t Type) Block() int64 { return layouts[t].block }

// RowSize returns the bytes that n numbers take; n must be a multiple of Block.
func (t Type) RowSize(n int64) int64 {
	l, ok := layouts[t]
	if !ok {
		return 0
	}
	return n / l.block * l.bytes
}

// elements multiplies the dimensions; false when the product overflows or one is not positive.
func elements(dims []int64) (int64, bool) {
	n := int64(1)
	for _, d := range dims {
		if d <= 0 {
			return 0, false
		}
		hi, lo := bits.Mul64(uint64(n), uint64(d))
		// ggml refuses a product equal to the largest number as well.
		if hi != 0 || lo >= math.MaxInt64 {
			return 0, false
		}
		n = int64(lo)
	}
	return n, true
}

// tensorBytes returns the size of a tensor; false when it is not representable or the type unknown.
func tensorBytes(t Type, dims []int64) (int64, bool) {
	n, ok := elements(dims)
	l, known := layouts[t]
	if !ok || !known {
		return 0, false
	}
	hi, lo := bits.Mul64(uint64(n/l.block), uint64(l.bytes))
	if hi != 0 || lo > math.MaxInt64/2 {
		return 0, false
	}
	return int64(lo), true
}
