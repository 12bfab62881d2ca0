package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRoundsTakeTurns(t *testing.T) {
	var turns []string
	var inputs []int
	slow := func(name string) pass {
		return pass{name, func(input int) error {
			turns, inputs = append(turns, name), append(inputs, input)
			time.Sleep(leastSample) // so that one call fills a sample
			return nil
		}}
	}
	samples, err := measure(context.Background(), 3, 2, []pass{slow("a"), slow("b")}, func() {})
	require.NoError(t, err)
	require.Len(t, samples, 2)
	require.Len(t, samples[0], 3)
	require.GreaterOrEqual(t, samples[1][0], float64(leastSample))
	const calibration = 2 * 3 * 2 // passes, tries, calls of a sample
	require.Equal(t, []string{"a", "a", "b", "b", "b", "b", "a", "a", "a", "a", "b", "b"}, turns[calibration:])
	require.Equal(t, []int{0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0}, inputs[calibration:])
}

func TestShortPassesAreRepeated(t *testing.T) {
	calls := 0
	samples, err := measure(context.Background(), 1, 1, []pass{{"a", func(int) error { calls++; return nil }}}, func() {})
	require.NoError(t, err)
	require.Greater(t, calls, 1000)
	require.Less(t, samples[0][0], float64(leastSample))
}

func TestAFailingPassIsNamed(t *testing.T) {
	broken := errors.New("broken")
	_, err := measure(context.Background(), 1, 1, []pass{{"a", func(int) error { return broken }}}, func() {})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "a: ")
}
