package engine

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/kernels"
)

func TestRowsThatAreNoDistributionAreRefused(t *testing.T) {
	inf := float32(math.Inf(1))
	var s scratch
	for _, row := range [][]float32{{0, inf, 1}, {-inf, -inf}} {
		_, _, err := s.sparse(row, 2)
		require.ErrorIs(t, err, kernels.ErrNotFinite)
	}
	_, _, err := s.sparse([]float32{0, float32(math.NaN())}, 2)
	require.ErrorIs(t, err, kernels.ErrNaN)
	d, lse, err := s.sparse([]float32{0, -inf, 0}, 2)
	require.NoError(t, err)
	require.InDelta(t, math.Ln2, lse, 1e-6)
	require.Len(t, d.Entries, 2)
}
