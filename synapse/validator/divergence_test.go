package validator

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// Goroutines take texts in turn: how many there are must not show in the last bit.
func TestDivergenceIsTheSameOnAnyNumberOfCores(t *testing.T) {
	replies := randomRound(t, random(t), 20, 7, 60)
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	type measured struct{ divergence, excess float64 }
	var want []measured
	for _, cores := range []int{1, 2, 5, 16} {
		runtime.GOMAXPROCS(cores)
		stats, err := Rules{}.Score(Next, replies)
		require.NoError(t, err)
		var got []measured
		for _, s := range stats {
			if s.Answered { // the others have NaN
				got = append(got, measured{s.Divergence, s.Excess})
			}
		}
		if want == nil {
			want = got
			require.Len(t, want, 16)
		}
		require.Equal(t, want, got, "%d cores", cores)
	}
}
