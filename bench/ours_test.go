package bench

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/engine"
	"axon/models"
)

// Every kind of test runs through the real engine, and evaluates as many
// tokens as its name says. How fast is not asserted.
func TestOursEvaluatesWhatTheNameSays(t *testing.T) {
	m, err := engine.OpenModel(context.Background(), engine.ModelOptions{Data: models.BuiltIn, Name: models.BuiltInName})
	require.NoError(t, err)
	defer m.Close()
	alone := config
	alone.Threads = 1 // several wait for each other, for long on a busy machine
	for _, test := range []Test{
		{Prompt: 40}, {Gen: 5}, {Prompt: 20, Gen: 5}, {Gen: 5, Parallel: 3},
		{Prompt: 40, Depth: 32}, {Gen: 5, Depth: 32}, {Prompt: 20, Gen: 5, Depth: 32}, {Gen: 5, Parallel: 3, Depth: 32},
	} {
		t.Run(test.Name(), func(t *testing.T) {
			r, err := NewOurs(m, alone, test)
			require.NoError(t, err)
			defer r.Close()
			require.NoError(t, r.Warm(context.Background()))
			o := r.(*ours)
			require.NoError(t, o.fillCache(context.Background()))
			for range 2 {
				before := o.engine.Stats().Tokens
				d, err := r.Run(context.Background())
				require.NoError(t, err)
				require.Positive(t, d)
				want := test.Tokens()
				if test.Depth > 0 { // the last token of a remembered prefix is evaluated for its row
					want += test.parallel()
				}
				require.EqualValues(t, want, o.engine.Stats().Tokens-before)
			}
		})
	}
}
