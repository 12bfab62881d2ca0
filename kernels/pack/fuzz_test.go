package pack_test

import (
	"encoding/binary"
	"math"
	"testing"

	"axon/kernels"
	"axon/kernels/pack"

	"github.com/stretchr/testify/require"
)

// FuzzParse looks for bytes behind a right checksum on which decoding panics, gives
// what no encoder takes, or allocates without bound. Where values are verbatim, every
// batch that is accepted is the only one of its meaning: it comes back byte by byte.
func FuzzParse(f *testing.F) {
	for _, mode := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		f.Add(unsealed(small(f, mode)))
	}
	f.Add(unsealed(encode(f, pack.Params{Vocab: 50257}, uglyRows()["a run up to the last one"])))
	f.Fuzz(func(t *testing.T, body []byte) {
		data := seal(body...)
		requireSane(t, data)
		rows, err := readAll(data)
		if err != nil {
			return
		}
		b, err := pack.Parse(data, pack.Limits{})
		require.NoError(t, err)
		if b.Params().Mode == pack.Quantised {
			return
		}
		require.Equal(t, data, encode(t, b.Params(), rows...))
	})
}

// FuzzRoundTrip makes a distribution out of any bytes, five an entry: a gap and a logit.
func FuzzRoundTrip(f *testing.F) {
	f.Add([]byte("any gaps and any values, five bytes each"), uint8(0), uint16(100), uint8(32))
	f.Add([]byte{0, 0, 0, 128, 255, 1, 0, 0, 128, 255}, uint8(0), uint16(1), uint8(255))
	f.Fuzz(func(t *testing.T, raw []byte, mode uint8, kl uint16, step uint8) {
		row := rowOf(raw)
		p := pack.Params{
			Vocab: 1 << 16, Mode: pack.Mode(mode % 3),
			KL: float64(kl) / 1e6, MaxStep: float64(step) / 64,
		}
		e, err := pack.NewEncoder(p)
		require.NoError(t, err)
		if err := e.Add(row); err != nil {
			require.ErrorIs(t, err, pack.ErrRow)
			require.Equal(t, pack.Float16, p.Mode, "only float16 cannot hold every distribution: %v", err)
			return
		}
		got := decode(t, e.Batch(nil))[0]
		require.Len(t, got.Entries, len(row.Entries))
		for i, en := range got.Entries {
			require.Equal(t, row.Entries[i].Index, en.Index)
			require.Equal(t, row.Entries[i].Value == ninf, en.Value == ninf)
		}
		switch p.Mode {
		case pack.Float32:
			require.Equal(t, row.Rest, got.Rest)
			for i := range row.Entries {
				require.Equal(t, row.Entries[i], got.Entries[i])
			}
		case pack.Quantised:
			b, err := pack.Parse(encode(t, p, row), pack.Limits{})
			require.NoError(t, err)
			require.LessOrEqual(t, divergence(row, got), 4*b.Params().KL+1e-6)
		}
	})
}

// rowOf is a distribution over 65536 tokens; the first byte says what the rest weighs.
func rowOf(raw []byte) pack.Row {
	rest := math.Inf(-1)
	if len(raw) > 0 {
		rest, raw = -float64(raw[0]), raw[1:]
	}
	var row pack.Row
	index, sum := 0, math.Exp(rest)
	for ; len(raw) >= 5 && index < 1<<16; raw = raw[5:] {
		v := math.Float32frombits(binary.LittleEndian.Uint32(raw[1:]))
		if v != v || v > 50 {
			v = 50
		}
		row.Entries = append(row.Entries, kernels.Entry{Index: int32(index), Value: v})
		sum += math.Exp(float64(v))
		index += int(raw[0])*int(raw[0])/16 + 1
	}
	if sum == 0 { // nothing can come
		rest, sum = 0, 1
	}
	lse := math.Log(sum)
	for i := range row.Entries {
		row.Entries[i].Value = float32(float64(row.Entries[i].Value) - lse)
	}
	row.Rest = float32(rest - lse)
	return row
}
