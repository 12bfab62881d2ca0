package kernels

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// lengths around every number of lanes and every unrolled loop.
func lengths() []int {
	list := []int{block - 1, block}
	for n := range 300 {
		list = append(list, n)
	}
	return list
}

func TestAssemblyIsThereAndChosen(t *testing.T) {
	if os.Getenv(VariantEnv) != "" || len(Variants()) == 1 {
		t.Skipf("this machine, this build or the environment leaves %s only", Variants())
	}
	require.NotEqual(t, "generic", Variant())
	require.Equal(t, Variants()[0], Variant())
	if runtime.GOARCH == "amd64" {
		require.Subset(t, []string{"avx512", "avx2", "generic"}, Variants())
	}
}

func TestTheEnvironmentChoosesTheVariant(t *testing.T) {
	if os.Getenv("AXON_TEST_VARIANT") != "" {
		fmt.Println("variant", Variant())
		return
	}
	for _, name := range append(Variants(), "abacus") {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTheEnvironmentChoosesTheVariant$", "-test.v")
		cmd.Env = append(os.Environ(), "AXON_TEST_VARIANT=1", VariantEnv+"="+name)
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.ENOEXEC) {
			t.Skip("an emulated program cannot start itself")
		}
		require.NoError(t, err, string(out))
		want := name
		if !slices.Contains(Variants(), name) {
			want = Variants()[0]
		}
		require.Contains(t, strings.Split(string(out), "\n"), "variant "+want)
	}
	require.ErrorContains(t, UseVariant("abacus"), "there are: "+strings.Join(Variants(), ", "))
}

// rows of a length at all offsets, guarded by words that would show.
func eachRow(test func(x []float32, what string)) {
	for _, n := range lengths() {
		for _, kind := range kinds {
			row := kind.row(rand.New(rand.NewPCG(uint64(n), 5)), max(n, 1))[:n]
			offset := n % 8
			test(guard(row, offset, float32(math.NaN())), fmt.Sprintf("%s, %d values, offset %d", kind.name, n, offset))
		}
	}
}

func TestMaxEqualsTheGenericOne(t *testing.T) {
	for _, v := range variants {
		eachRow(func(x []float32, what string) {
			require.Equal(t, maxGeneric(x), v.max(x), "%s: %s", v.name, what)
		})
		for n := 1; n < 200; n++ {
			for _, at := range []int{0, n / 2, n - 1} {
				x := fill(n, func(int) float32 { return inf })
				x[at] = float32(math.NaN())
				got := v.max(x)
				require.True(t, got != got, "%s: NaN at %d of %d", v.name, at, n)
			}
		}
	}
}

func TestCountEqualsTheGenericOne(t *testing.T) {
	for _, v := range variants {
		eachRow(func(x []float32, what string) {
			for _, least := range thresholds(x) {
				require.Equal(t, countGeneric(x, least), v.count(x, least), "%s: %s, least %v", v.name, what, least)
			}
		})
	}
}

// thresholds are some values of x and some around them.
func thresholds(x []float32) []float32 {
	list := []float32{-inf, inf, 0, float32(math.NaN())}
	if len(x) > 0 {
		list = append(list, x[0], x[len(x)/2], math.Nextafter32(x[len(x)/3], inf))
	}
	return list
}

func TestCollectEqualsTheGenericOne(t *testing.T) {
	const kept = 5 // what is there already
	for _, v := range variants {
		eachRow(func(x []float32, what string) {
			for _, least := range thresholds(x) {
				room := kept + len(x) + padding
				values, indices := make([]float32, room+8), make([]int32, room+8)
				for i := range values {
					values[i], indices[i] = 77, 77
				}
				want, wantI := slices.Clone(values), slices.Clone(indices)
				n := collectGeneric(want, wantI, kept, x, 1000, least)
				require.Equal(t, n, v.collect(values[:room:room], indices[:room:room], kept, x, 1000, least), "%s: %s", v.name, what)
				require.Equal(t, bitsOf(want[:n]), bitsOf(values[:n]), "%s: %s", v.name, what)
				require.Equal(t, wantI[:n], indices[:n], "%s: %s", v.name, what)
				require.Equal(t, want[room:], values[room:], "%s: %s wrote beyond its room", v.name, what)
				require.Equal(t, wantI[room:], indices[room:], "%s: %s wrote beyond its room", v.name, what)
			}
		})
	}
}

func bitsOf(x []float32) []uint32 {
	bits := make([]uint32, len(x))
	for i, v := range x {
		bits[i] = math.Float32bits(v)
	}
	return bits
}

func TestEntriesEqualTheGenericOnes(t *testing.T) {
	for _, v := range variants {
		eachRow(func(x []float32, what string) {
			indices := make([]int32, len(x))
			for i := range indices {
				indices[i] = int32(3 * i)
			}
			for _, least := range thresholds(x) {
				room := len(x) + padding
				got := make([]Entry, room+8)
				for i := range got {
					got[i] = Entry{77, 77}
				}
				want := slices.Clone(got)
				n := entriesGeneric(want, x, indices, least)
				require.Equal(t, n, v.entries(got[:room:room], x, indices, least), "%s: %s", v.name, what)
				requireSame(t, want[:n], got[:n], v.name+": "+what)
				requireSame(t, want[room:], got[room:], v.name+" wrote beyond its room: "+what)
			}
		})
	}
}

func TestExpEqualsTheGenericOne(t *testing.T) {
	for _, v := range variants {
		eachRow(func(x []float32, what string) {
			shift := maxGeneric(x)
			if math.IsInf(float64(shift), 0) {
				return
			}
			sum, top := v.sumExp(x, shift)
			want, wantTop := sumExpGeneric(x, shift)
			require.InDelta(t, want, sum, 1e-6*want, "%s: %s", v.name, what)
			require.Equal(t, wantTop, top, "%s: %s", v.name, what)

			dst := make([]float32, len(x))
			v.exp(dst, x, shift)
			for i := range x {
				want := math.Exp(float64(x[i]) - float64(shift))
				require.InDelta(t, want, dst[i], 2e-6*want+2e-38, "%s: %s, exp(%v)", v.name, what, x[i]-shift)
			}
		})
	}
}

func TestExpWritesNothingElse(t *testing.T) {
	for _, v := range variants {
		for n := range 100 {
			all := fill(n+32, func(int) float32 { return 77 })
			v.exp(all[16:16+n:16+n], make([]float32, n), 0)
			for i, got := range all {
				want := float32(77)
				if i >= 16 && i < 16+n {
					want = 1
				}
				require.Equal(t, want, got, "%s: %d of %d", v.name, i-16, n)
			}
		}
	}
}

func TestExpOfWhatCannotComeIsZero(t *testing.T) {
	for _, v := range variants {
		x := fill(40, func(i int) float32 {
			if i%3 == 0 {
				return -inf
			}
			return -1000
		})
		v.exp(x, x, 5)
		require.Zero(t, slices.Max(x), v.name)
	}
}

func TestSumExpOfNaNIsNaN(t *testing.T) {
	for _, v := range variants {
		for n := 1; n < 150; n++ {
			x := make([]float32, n)
			x[n/2] = float32(math.NaN())
			sum, _ := v.sumExp(x, 0)
			require.True(t, math.IsNaN(sum), "%s: %d", v.name, n)
		}
	}
}
