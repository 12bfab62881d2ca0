package bench

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/kernels"
	"axon/models"
)

func TestRowsOfModel(t *testing.T) {
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Name: models.BuiltInName})
	require.NoError(t, err)
	defer m.Close()
	text := strings.Repeat("Package sort provides primitives for sorting slices and user-defined collections. ", 60)
	for _, n := range []int{1, 16, 37} {
		r, err := RowsOfModel(context.Background(), m, text, n)
		require.NoError(t, err)
		require.Len(t, r.Rows, n)
		require.Len(t, r.Targets, n)
		nats := 0.0
		for i, row := range r.Rows {
			require.Len(t, row, m.Info().VocabSize)
			h, err := kernels.CrossEntropy(row, r.Targets[i])
			require.NoError(t, err)
			nats += h / float64(n)
		}
		require.Less(t, nats, 6.0, "far less than for tokens at random: 8.3")
	}
	_, err = RowsOfModel(context.Background(), m, "short", 1)
	require.ErrorContains(t, err, "too few for 1 rows")
}
