//go:build !purego

package kernels

// maxNEON is maxGeneric for a length that is a multiple of 4.
func maxNEON(x []float32) float32

// sumExpNEON is sumExpGeneric as exponent says, for a length that is a multiple of 4.
func sumExpNEON(x []float32, low, magic float32) (sum float64, top float32)

// expNEON is expGeneric as exponent says, for a length of x that is a multiple of 4.
func expNEON(dst, x []float32, low, magic, factor float32)

// countNEON is countGeneric for a length that is a multiple of 4.
func countNEON(x []float32, least float32) int

// collectNEON is collectGeneric for a length of x that is a multiple of 4.
// It writes up to 4 values and indices beyond those it counts.
func collectNEON(values []float32, indices []int32, n int, x []float32, first int32, least float32) int

// entriesNEON is entriesGeneric for a number of values that is a multiple of 4.
// It writes up to 4 entries beyond those it counts.
func entriesNEON(dst *uint64, values []float32, indices []int32, least float32) int
