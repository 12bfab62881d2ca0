package float16

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEveryFloat16ComesBack(t *testing.T) {
	for h := range 1 << 16 {
		f := To(uint16(h))
		if f != f {
			require.Equal(t, uint16(0x7e00), From(f)&0x7fff)
			continue
		}
		require.Equal(t, uint16(h), From(f), "%v", f)
	}
}

func TestRoundingIsToTheNearestAndThenToTheEven(t *testing.T) {
	for h := range uint16(0x7bff) { // each finite number and the next
		low, high := float64(To(h)), float64(To(h+1))
		mid := float32((low + high) / 2) // exact: float32 has more digits
		even := h + h&1
		require.Equal(t, even, From(mid), "%v", mid)
		require.Equal(t, h, From(math.Nextafter32(mid, 0)))
		require.Equal(t, h+1, From(math.Nextafter32(mid, 1e9)))
		require.Equal(t, 0x8000|even, From(-mid))
	}
	require.Equal(t, uint16(0x7bff), From(65519.996))
	require.Equal(t, uint16(0x7c00), From(65520))
	require.Equal(t, uint16(0xfc00), From(float32(math.Inf(-1))))
}
