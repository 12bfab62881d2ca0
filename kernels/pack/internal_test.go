package pack

import (
	"math"
	"math/rand/v2"
	"testing"

	"axon/kernels"

	"github.com/stretchr/testify/require"
)

func TestRestCodes(t *testing.T) {
	for code := range 1 << 16 {
		rest, entries := restOf(uint16(code))
		require.InDelta(t, 1, math.Exp(rest)+math.Exp(entries), 1e-12)
		require.Equal(t, uint16(code), restCode(rest), "rest %v", rest)
	}
}

// The encoder's float32 finds the nearest level, or one that is as near but for
// rounding, on the coarsest and on the finest grid.
func TestQuantiserIsNearest(t *testing.T) {
	for _, sp := range []spacing{{100, 32}, {1, 1}, {1, 256}, {1e6, 1}, {1e6, 256}} {
		for _, k := range []int{1, 7, 512, 4096, 1 << 18} {
			g, f := newGrid(sp, k), newShape(sp, k)
			for x := 0.0; x >= Floor; x -= 0.0317 {
				lev := levelOf(g, float32(x))
				cell := max(math.Min(f.d, f.c*math.Exp(-x/2)), math.Min(f.d, f.c))
				require.InDelta(t, x, g.levels[lev].log, cell/2*(1+cell/2)+1e-5, "%+v k=%d", sp, k)
				require.GreaterOrEqual(t, lev, uint32(1))
			}
		}
	}
	g := newGrid(spacing{1, 1}, MaxVocab) // the largest of all
	require.Less(t, int(levelOf(g, 0)), len(g.levels))
	require.LessOrEqual(t, levelOf(newGrid(spacing{100, 32}, 512), Floor), uint32(2))
}

func levelOf(g *grid, l float32) uint32 {
	root, level := make([]float32, 1), make([]uint32, 1)
	kernels.Exp(root, []float32{l / 2}, 0)
	quantise(g, level, []float32{l / 2}, root)
	return level[0]
}

// What eight numbers at once come to is what the definition writes, and both are read.
func TestEightEqualDefinition(t *testing.T) {
	const seed = 3
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for _, k := range []int{1, 3, 4, 100, 511, 512, 515, 4095, 4096, 5000} {
		for _, spread := range []float64{0.1, 3, 40, 300} {
			gaps, levels := make([]uint32, k), make([]uint32, k)
			vocab := 0
			for i := range gaps {
				gaps[i] = uint32(spread * r.ExpFloat64() * r.ExpFloat64())
				levels[i] = uint32(spread * r.ExpFloat64() / 4)
				vocab += int(gaps[i]) + 1
			}
			got := written(t, gaps, levels, vocab)
			requireReads(t, got, len(got), gaps, levels, vocab)
			requireReads(t, append(got, make([]byte, 8)...), len(got), gaps, levels, vocab) // never near the end
		}
	}
}

// written codes a row in both ways.
func written(t *testing.T, gaps, levels []uint32, vocab int) []byte {
	t.Helper()
	const base = 77
	var def, fast numberWriter
	def.begin(nil)
	def.numbers(numbers{wide: gaps}, newGaps(vocab, len(gaps)))
	def.numbers(numbers{wide: levels}, newLevels(len(gaps)))
	fast.begin(nil)
	fast.numbers(numbers{narrow: narrowed(gaps, 0)}, newGaps(vocab, len(gaps)))
	fast.numbers(numbers{narrow: narrowed(levels, base), base: base}, newLevels(len(gaps)))
	want := def.end()
	require.Equal(t, want, fast.end())
	return want
}

func narrowed(x []uint32, base uint32) []uint16 {
	narrow := make([]uint16, len(x))
	for i, v := range x {
		narrow[i] = uint16(v + base)
	}
	return narrow
}

func requireReads(t *testing.T, data []byte, size int, gaps, levels []uint32, vocab int) {
	t.Helper()
	sc := scale{levels: make([]level, 1<<16)}
	for i := range sc.levels {
		sc.levels[i].log = float32(i)
	}
	dst := make([]kernels.Entry, len(gaps))
	r := numberReader{bitReader: bitReader{buf: data}, size: size}
	require.NoError(t, r.prefixes(2*len(dst)))
	require.NoError(t, r.indices(dst, vocab))
	_, err := r.values(dst, &sc)
	require.NoError(t, err)
	require.NoError(t, r.end())
	next := int32(0)
	for i, e := range dst {
		require.Equal(t, kernels.Entry{Index: next + int32(gaps[i]), Value: float32(levels[i])}, e)
		next = e.Index + 1
	}
}

func TestBucket(t *testing.T) {
	for k, want := range map[int]int{0: 1, 1: 1, 7: 7, 8: 8, 9: 10, 128: 128, 129: 160, 513: 640, 4096: 4096, MaxVocab - 1: MaxVocab} {
		require.Equal(t, want, bucket(k))
	}
}
