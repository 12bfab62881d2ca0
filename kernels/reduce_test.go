package kernels

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReduceEqualsAStableSort(t *testing.T) {
	sizes := []int{1, 2, 7, 16, 33, 255, block - 1, block, block + 1, 4*sampleSize + 5}
	if !testing.Short() {
		sizes = append(sizes, 32000, 50257, 128256, 151936, 256000)
	}
	var s Scratch
	for _, kind := range kinds {
		for _, n := range sizes {
			row := kind.row(rand.New(rand.NewPCG(uint64(n), 7)), n)
			all := largest(row, n, Descending)
			eachVariant(t, func(t *testing.T) {
				checkLogSumExp(t, row, kind.name)
				ks := []int{1, 64, 512, 4096}
				if n <= 50257 {
					ks = append(ks, -1, 0, 3, n/3, n, n+5)
				}
				for _, k := range ks {
					checkReduce(t, row, all, k, &s, fmt.Sprintf("%s, V %d, k %d", kind.name, n, k))
				}
			})
		}
	}
}

// checkReduce compares both orders with the row's entries in descending order.
func checkReduce(t *testing.T, row []float32, all []Entry, k int, s *Scratch, what string) {
	t.Helper()
	want := slices.Clone(all[:max(0, min(k, len(all)))])
	got, _, err := Reduce(nil, row, k, Descending, s)
	require.NoError(t, err, what)
	requireSame(t, want, got, what)
	slices.SortFunc(want, func(a, b Entry) int { return int(a.Index - b.Index) })
	got, _, err = Reduce(nil, row, k, ByIndex, s)
	require.NoError(t, err, what)
	requireSame(t, want, got, what+", by index")
}

// requireSame is require.Equal for long lists, bits and all.
func requireSame(t *testing.T, want, got []Entry, what string) {
	t.Helper()
	require.Equal(t, len(want), len(got), what)
	for i := range want {
		if want[i].Index != got[i].Index || math.Float32bits(want[i].Value) != math.Float32bits(got[i].Value) {
			require.Equal(t, want[i], got[i], "%s: entry %d", what, i)
		}
	}
}

// checkLogSumExp compares the sum of exponentials, not just its logarithm,
// where the row's values allow for that.
func checkLogSumExp(t *testing.T, row []float32, what string) {
	t.Helper()
	want := logSumExp64(row)
	got, err := LogSumExp(row)
	require.NoError(t, err, what)
	if math.IsInf(want, 0) {
		require.Equal(t, want, got, what)
		return
	}
	require.InDelta(t, want, got, 1e-6*max(1, math.Abs(want)), "%s, V %d", what, len(row))
	_, lse, err := Reduce(nil, row, 0, ByIndex, new(Scratch))
	require.NoError(t, err, what)
	require.Equal(t, got, lse, what)
}

func TestTheSumOfExponentialsIsExactToOneInAMillion(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		worst := 0.0
		for _, top := range []float32{0, 1, -3.7, 11.3, 25, -80.1, 300} {
			for d := 0.0; d < 20; d += 0.0973 { // all but one value at the same distance: errors cannot cancel
				row := fill(4*block+19, func(int) float32 { return top - float32(d) })
				row[77] = top
				got, err := LogSumExp(row)
				require.NoError(t, err)
				worst = max(worst, math.Abs(math.Expm1(got-logSumExp64(row))))
			}
		}
		for rise := float32(0); rise < headroom; rise += 0.173 { // far above the shift, which the first block sets
			row := fill(4*block+19, func(i int) float32 {
				if i < block {
					return 1.7
				}
				return 1.7 + rise
			})
			got, err := LogSumExp(row)
			require.NoError(t, err)
			worst = max(worst, math.Abs(math.Expm1(got-logSumExp64(row))))
		}
		t.Logf("largest relative error of a sum: %.2g", worst)
		require.Less(t, worst, 1e-6)
	})
}

func TestReduceAppendsAndKeeps(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		var s Scratch
		dst := []Entry{{7, 7}}
		got, lse, err := Reduce(dst, []float32{1, 3, 2}, 2, Descending, &s)
		require.NoError(t, err)
		require.Equal(t, []Entry{{7, 7}, {1, 3}, {2, 2}}, got)
		require.InEpsilon(t, math.Log(math.Exp(1)+math.Exp(3)+math.Exp(2)), lse, 1e-6)
	})
}

func TestLogSumExpAtItsEdges(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range []struct {
			name string
			row  []float32
			want float64
		}{
			{"one", []float32{3}, 3},
			{"equal", []float32{2, 2, 2, 2}, 2 + math.Log(4)},
			{"huge values do not overflow", []float32{1e30, 1e30}, 1e30},
			{"-Inf has no mass", []float32{1, -inf}, 1},
			{"all -Inf", []float32{-inf, -inf}, math.Inf(-1)},
			{"+Inf", []float32{inf, 0}, math.Inf(1)},
			{"both", []float32{-inf, inf}, math.Inf(1)},
			{"empty", nil, math.Inf(-1)},
		} {
			got, err := LogSumExp(c.row)
			require.NoError(t, err, c.name)
			if math.IsInf(c.want, 0) {
				require.Equal(t, c.want, got, c.name)
				continue
			}
			require.InEpsilon(t, c.want, got, 1e-6, c.name)
		}
	})
}

func TestNaNIsATypedErrorWhereverItIs(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		var s Scratch
		kept := []Entry{{1, 1}}
		for _, n := range []int{1, 5, 32, 100, block + 3, 50257} {
			base := realisticRow(rand.New(rand.NewPCG(3, uint64(n))), n)
			base[n/2] = inf // must not hide it
			for _, at := range []int{0, n / 3, n / 2, n - 1} {
				row := slices.Clone(base)
				row[at] = float32(math.NaN())
				_, err := LogSumExp(row)
				require.ErrorIs(t, err, ErrNaN, "V %d at %d", n, at)
				for _, k := range []int{0, 1, 512} {
					got, _, err := Reduce(kept, row, k, Descending, &s)
					require.ErrorIs(t, err, ErrNaN, "V %d at %d", n, at)
					require.Equal(t, kept, got)
				}
				require.ErrorIs(t, Softmax(make([]float32, n), row), ErrNaN)
			}
		}
	})
}

func TestReduceDoesNotAllocateOnceItHasServedARow(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		var s Scratch
		row := realisticRow(rand.New(rand.NewPCG(1, 1)), 50257)
		for _, k := range []int{0, 1, 512, 4096} {
			for _, order := range []Order{Descending, ByIndex} {
				dst := make([]Entry, 0, k)
				allocations := testing.AllocsPerRun(3, func() {
					if _, _, err := Reduce(dst, row, k, order, &s); err != nil {
						t.Fatal(err)
					}
				})
				require.Zero(t, allocations, "k %d", k)
			}
		}
	})
}

func TestReduceReadsOnlyItsRow(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		var s Scratch
		for offset := range 8 {
			for _, n := range []int{1, 31, 64, 1000, 20011} {
				row := realisticRow(rand.New(rand.NewPCG(uint64(offset), uint64(n))), n)
				guarded := guard(row, offset, float32(math.NaN())) // reading it would be an error
				checkReduce(t, guarded, largest(row, n, Descending), n/7+1, &s, fmt.Sprintf("offset %d, V %d", offset, n))
			}
		}
	})
}

// guard is a copy of x that begins offset floats after a boundary, with guard
// words on both sides.
func guard(x []float32, offset int, word float32) []float32 {
	const margin = 64
	all := fill(len(x)+2*margin+16, func(int) float32 { return word })
	at := margin + offset
	copy(all[at:], x)
	return all[at : at+len(x) : at+len(x)]
}

func FuzzReduce(f *testing.F) {
	f.Add([]byte{0, 0, 128, 63, 0, 0, 0, 64}, uint16(1), uint16(0))
	f.Add([]byte{0, 0, 128, 255, 0, 0, 0, 0, 0, 0, 0, 128, 1, 2, 3}, uint16(2), uint16(9000))
	f.Add([]byte{0, 0, 128, 127, 0, 0, 192, 127}, uint16(3), uint16(77))
	f.Fuzz(func(t *testing.T, data []byte, k, length uint16) {
		if len(data) < 4 {
			return
		}
		words := len(data) / 4
		row := fill(words+int(length), func(i int) float32 { // longer rows repeat the words
			w := data[4*(i%words):]
			return math.Float32frombits(uint32(w[0]) | uint32(w[1])<<8 | uint32(w[2])<<16 | uint32(w[3])<<24)
		})
		hasNaN := slices.ContainsFunc(row, func(v float32) bool { return v != v })
		before := Variant()
		defer func() { _ = UseVariant(before) }()
		for _, name := range Variants() {
			if err := UseVariant(name); err != nil {
				t.Fatal(err)
			}
			var s Scratch
			if _, _, err := Reduce(nil, row, int(k), Descending, &s); hasNaN {
				require.ErrorIs(t, err, ErrNaN)
				continue
			}
			checkReduce(t, row, largest(row, len(row), Descending), int(k), &s, name)
			checkLogSumExp(t, row, name)
		}
	})
}
