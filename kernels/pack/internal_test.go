package pack

import (
	"math"
	"math/rand/v2"
	"testing"

	"axon/kernels"

	"github.com/stretchr/testify/require"
)

// Every float16 comes back from float32, and what lies between two goes to the nearer,
// or to the even one.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		f := fromHalf(uint16(h))
		if f != f {
			require.NotZero(t, toHalf(f)&0x3ff)
			continue
		}
		require.Equal(t, uint16(h), toHalf(f))
		if h&0x7fff >= 0x7bff { // the largest finite one
			continue
		}
		next := fromHalf(uint16(h + 1))
		middle := f + (next-f)/2
		require.Equal(t, uint16(h+h&1), toHalf(middle), "%v", middle)
		require.Equal(t, uint16(h), toHalf(math.Nextafter32(middle, f)))
		require.Equal(t, uint16(h+1), toHalf(math.Nextafter32(middle, next)))
	}
	require.Equal(t, uint16(0xfc00), toHalf(-65520))
	require.Equal(t, uint16(0xfbff), toHalf(-65519))
}

func TestRestCodes(t *testing.T) {
	for code := range 1 << 16 {
		rest, entries := restOf(uint16(code))
		require.InDelta(t, 1, math.Exp(rest)+math.Exp(entries), 1e-12)
		require.Equal(t, uint16(code), restCode(rest), "rest %v", rest)
	}
}

// The encoder's float32 parabolas find the nearest level, or one that is as near but
// for rounding, on the coarsest and on the finest grid.
func TestQuantiserIsNearest(t *testing.T) {
	for _, sp := range []spacing{{100, 32}, {1, 1}, {1, 256}, {1e6, 1}, {1e6, 256}} {
		for _, k := range []int{1, 7, 512, 4096, 1 << 18} {
			g, f := newGrid(sp, k), newShape(sp, k)
			for x := 0.0; x >= Floor; x -= 0.0317 {
				l := float32(x)
				lev := g.of(l)
				cell := max(math.Min(f.d, f.c*math.Exp(-x/2)), math.Min(f.d, f.c))
				require.InDelta(t, x, g.levels[lev].log, cell/2*(1+cell/2)+1e-5, "%+v k=%d", sp, k)
				require.GreaterOrEqual(t, lev, uint32(1))
			}
		}
	}
	g := newGrid(spacing{1, 1}, MaxVocab) // the largest of all
	require.Less(t, int(g.of(0)), len(g.levels))
	require.LessOrEqual(t, newGrid(spacing{100, 32}, 512).of(Floor), uint32(2))
}

// The loops that take shortcuts write what the definition writes, and read it.
func TestLoopsEqualDefinition(t *testing.T) {
	const seed = 3
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, k := range []int{1, 3, 4, 100, 511, 512, 515, 4095, 4096, 5000} {
		for _, spread := range []float64{0.1, 3, 40, 300} {
			pairs := make([]pair, k)
			vocab := 0
			for i := range pairs {
				pairs[i] = pair{uint32(spread * r.ExpFloat64() * r.ExpFloat64()), uint32(spread * r.ExpFloat64() / 4)}
				vocab += int(pairs[i].gap) + 1
			}
			gaps := newGaps(vocab, k)
			want := defined(pairs, gaps)
			var w bitWriter
			w.entries(append([]pair(nil), pairs...), 0, gaps)
			got := w.bytes()
			require.Equal(t, want, got, "k=%d spread %v", k, spread)
			requireReads(t, got, pairs, vocab, gaps)
			requireReads(t, append(got, make([]byte, 8)...), pairs, vocab, gaps) // never near the end
		}
	}
}

// defined codes a row by the definition alone.
func defined(pairs []pair, gaps adaptive) []byte {
	var w bitWriter
	w.reserve(len(pairs) * maxEntryBytes)
	levels, p := newLevels(), paceOf(len(pairs))
	bg, bl := gaps.lowBits(), levels.lowBits()
	g, l := uint64(0), uint64(0)
	for i, e := range pairs {
		w.entry(e, bg, bl)
		g += min(uint64(e.gap), 1<<(bg+gaps.clip))
		l += min(uint64(e.level), 1<<(bl+levels.clip))
		if (i+1)%(1<<p.block) == 0 {
			gaps.learn(g, p)
			levels.learn(l, p)
			bg, bl, g, l = gaps.lowBits(), levels.lowBits(), 0, 0
		}
	}
	return w.bytes()
}

func requireReads(t *testing.T, data []byte, pairs []pair, vocab int, gaps adaptive) {
	t.Helper()
	sc := scale{levels: make([]level, 1<<16)}
	for i := range sc.levels {
		sc.levels[i].log = float32(i)
	}
	dst := make([]kernels.Entry, len(pairs))
	r := bitReader{buf: data}
	_, err := r.entries(dst, sc, vocab, gaps)
	require.NoError(t, err)
	next := int32(0)
	for i, e := range dst {
		require.Equal(t, kernels.Entry{Index: next + int32(pairs[i].gap), Value: float32(pairs[i].level)}, e)
		next = e.Index + 1
	}
}

func TestBucket(t *testing.T) {
	for k, want := range map[int]int{0: 1, 1: 1, 7: 7, 8: 8, 9: 10, 128: 128, 129: 160, 513: 640, 4096: 4096, MaxVocab - 1: MaxVocab} {
		require.Equal(t, want, bucket(k))
	}
}
