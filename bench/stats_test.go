package bench

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatistics(t *testing.T) {
	for _, c := range []struct {
		x                []float64
		mean, sd, median float64
	}{
		{nil, 0, 0, 0},
		{[]float64{3}, 3, 0, 3},
		{[]float64{4, 2}, 3, math.Sqrt2, 3},
		{[]float64{9, 2, 4}, 5, math.Sqrt(13), 4},
		{[]float64{1, 100, 2, 3}, 26.5, math.Sqrt(7205.0 / 3), 2.5},
	} {
		require.InDelta(t, c.mean, Mean(c.x), 1e-12, "%v", c.x)
		require.InDelta(t, c.sd, StdDev(c.x), 1e-12, "%v", c.x)
		require.InDelta(t, c.median, Median(c.x), 1e-12, "%v", c.x)
	}
}

func TestMedianLeavesItsArgumentAlone(t *testing.T) {
	x := []float64{3, 1, 2}
	Median(x)
	require.Equal(t, []float64{3, 1, 2}, x)
}

func TestSpeedIsTheMeanOfTheSpeeds(t *testing.T) {
	s := newSpeed(100, []time.Duration{time.Second, 2 * time.Second})
	require.Equal(t, []int64{1e9, 2e9}, s.SamplesNS)
	require.Equal(t, []float64{100, 50}, s.SamplesTS)
	require.InDelta(t, 1.5e9, s.AvgNS, 1)
	require.InDelta(t, 75, s.AvgTS, 1e-9)
	require.InDelta(t, 35.355, s.StdDevTS, 1e-3)
}

func TestRatioIsTakenRoundByRound(t *testing.T) {
	require.Equal(t, Ratio{Median: 2, Min: 1, Max: 4}, newRatio([]float64{2, 3, 8}, []float64{1, 3, 2}))
	require.Equal(t, Ratio{}, newRatio([]float64{1}, nil))
}
