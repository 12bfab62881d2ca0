package bench

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/internal/simnet"
	"axon/synapse/validator"
	"axon/synapse/validator/rounds"
)

// quickValidate takes moments.
func quickValidate(t *testing.T) ValidateTest {
	t.Helper()
	o := rounds.Options{TopK: 32, Texts: 2, Context: 6, Rules: validator.Rules{Proper: true}}
	return ValidateTest{
		Rounds: o.WithDefaults(), Network: simnet.Options{Servers: 20, Timeout: 50 * time.Millisecond}, Slowness: 0.001, Folder: t.TempDir(),
	}
}

func TestRunValidate(t *testing.T) {
	leavesNothing(t)
	test, ticks := quickValidate(t), 0
	r, err := RunValidate(t.Context(), test, 2, func() { ticks++ })
	require.NoError(t, err)
	require.Equal(t, 3, ticks, "one round more, which is not measured")
	require.Equal(t, []int{2, 20, 2, 6, 32, 0}, []int{r.Rounds, r.Servers, r.Texts, r.Length, r.TopK, r.Pairs})
	require.Equal(t, 20.0, r.Answered)
	require.Zero(t, r.Timeouts)
	require.Greater(t, r.Bytes, 20*4.0*2*(2*32+1))
	require.GreaterOrEqual(t, r.MaxStep, r.Step)
	require.Positive(t, r.Waiting)
	require.Positive(t, r.Measuring)
	require.Positive(t, r.Committing)
	require.Positive(t, r.Making)
	require.Greater(t, r.Step, r.Measuring)
	require.Positive(t, r.PeakHeap)
	require.Positive(t, r.SteadyHeap)
	left, err := os.ReadDir(test.Folder)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestRunValidateWithSynergyAndSilence(t *testing.T) {
	test := quickValidate(t)
	test.Rounds.Task, test.Rounds.Packed, test.Rounds.Rules.Synergy = validator.CausalLM, true, true
	test.Slowness, test.Network.Silent = 0, 0.3
	r, err := RunValidate(t.Context(), test, 1, func() {})
	require.NoError(t, err)
	require.Positive(t, r.Timeouts)
	require.Equal(t, 20.0, r.Answered+r.Timeouts)
	require.Positive(t, r.Pairs)
	require.LessOrEqual(t, r.Pairs, 190)
	require.Equal(t, "2 × 6, top 32, packed", r.asked())
	require.Equal(t, "proper + synergy", r.rule())
}

func TestRunValidateCannotRun(t *testing.T) {
	leavesNothing(t)
	test := quickValidate(t)
	test.Network.Servers, test.Slowness, test.Rounds.TopK = 0, -1, 0
	_, err := RunValidate(t.Context(), test, 1, func() {})
	require.ErrorIs(t, err, simnet.ErrOptions)
	require.ErrorIs(t, err, rounds.ErrOptions)
	require.ErrorContains(t, err, "latencies times -1")

	test = quickValidate(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err = RunValidate(ctx, test, 5, cancel)
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(test.Folder)
	require.NoError(t, err)
	require.Empty(t, left)

	test.Folder += "/none"
	_, err = RunValidate(t.Context(), test, 1, func() {})
	require.True(t, errors.Is(err, os.ErrNotExist), err)
}
