package synth

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
)

func TestHalf(t *testing.T) {
	for f, want := range map[float32]uint16{
		0: 0, 1: 0x3c00, -2: 0xc000, 65504: 0x7bff, 65520: 0x7c00, 1e9: 0x7c00,
		0x1p-14: 0x0400, 0x1p-24: 0x0001, 0x1p-25: 0, 0x1.8p-25: 0x0001, -0x1p-24: 0x8001,
		0.1: 0x2e66, 1.00048828125: 0x3c00, 1.00146484375: 0x3c02, // ties go to even
	} {
		assert.Equal(t, want, half(f), "%g", f)
	}
	assert.Equal(t, uint16(0x7e00), half(float32(math.NaN())))
	assert.Equal(t, uint16(0x8000), half(float32(math.Copysign(0, -1))))
	assert.Equal(t, uint16(0xfc00), half(float32(math.Inf(-1))))
}

func TestBfloat(t *testing.T) {
	for bits, want := range map[uint32]uint16{
		0x3f800000: 0x3f80, 0x3f808000: 0x3f80, 0x3f818000: 0x3f82, 0x3f808001: 0x3f81, 0x7f800000: 0x7f80, 0x7f800001: 0x7fc0,
	} {
		assert.Equal(t, want, bfloat(math.Float32frombits(bits)), "%#x", bits)
	}
}

// The steps of a block are wide enough for its largest number, and every number
// comes back within half of one.
func TestBlocksComeBack(t *testing.T) {
	x := make([]float32, 32*50)
	s := newStream(1, "t", 0)
	s.normal(x, 0.5)
	for i := range 32 {
		x[i] = 0 // a block of nothing
	}
	step := func(b []byte) float64 { return fromHalf(binary.LittleEndian.Uint16(b)) }
	t.Run("q8_0", func(t *testing.T) {
		out := make([]byte, gguf.Q8_0.RowSize(int64(len(x))))
		require.NoError(t, Native(gguf.Q8_0, x, len(x), out))
		for i, v := range x {
			b := out[i/32*34:]
			d := step(b)
			assert.InDelta(t, v, d*float64(int8(b[2+i%32])), d*0.6+1e-9)
		}
	})
	t.Run("q4_0", func(t *testing.T) {
		out := make([]byte, gguf.Q4_0.RowSize(int64(len(x))))
		require.NoError(t, Native(gguf.Q4_0, x, len(x), out))
		for i, v := range x {
			b := out[i/32*18:]
			d := step(b)
			q := b[2+i%16] >> (i % 32 / 16 * 4) & 15
			// The side without the extreme number ends at seven steps.
			assert.InDelta(t, v, d*(float64(q)-8), math.Abs(d)*1.1+1e-9)
		}
	})
}

func fromHalf(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 != 0 {
		sign = -1
	}
	if exp == 0 {
		return sign * math.Ldexp(frac, -24)
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

func TestKnownBlocks(t *testing.T) {
	x := make([]float32, 32)
	for i := range x {
		x[i] = float32(i - 16)
	}
	q4 := make([]byte, 18)
	packQ4(q4, x)
	// The extreme is -16, so the step is 2: -16 becomes 0, 15 becomes 15.5 rounded down.
	assert.Equal(t, uint16(0x4000), binary.LittleEndian.Uint16(q4))
	assert.Equal(t, byte(0x80), q4[2])
	assert.Equal(t, byte(0xf8), q4[17])

	q8 := make([]byte, 34)
	packQ8(q8, x)
	assert.Equal(t, half(16.0/127), binary.LittleEndian.Uint16(q8))
	assert.Equal(t, int8(-127), int8(q8[2]))
	assert.Equal(t, int8(119), int8(q8[33]))
}

func TestNativeRefusesOtherTypes(t *testing.T) {
	assert.ErrorIs(t, Native(gguf.Q6_K, make([]float32, 256), 256, make([]byte, 210)), gguf.ErrTensor)
}

func TestNormalNumbers(t *testing.T) {
	x := make([]float32, 1<<18)
	s := newStream(7, "blk.0.attn_q.weight", 3)
	s.normal(x, 0.02)
	var sum, squares float64
	for _, v := range x {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	n := float64(len(x))
	assert.InDelta(t, 0, sum/n, 0.0002)
	assert.InDelta(t, 0.02, math.Sqrt(squares/n), 0.0002)
}

func BenchmarkBlock(b *testing.B) {
	x := make([]float32, blockElements)
	for _, typ := range []gguf.Type{gguf.F16, gguf.Q8_0, gguf.Q4_0} {
		out := make([]byte, typ.RowSize(blockElements))
		b.Run(typ.String(), func(b *testing.B) {
			b.SetBytes(4 * blockElements)
			for i := 0; b.Loop(); i++ {
				s := newStream(1, "t", i)
				s.normal(x, 0.02)
				_ = Native(typ, x, blockElements, out)
			}
		})
	}
}
