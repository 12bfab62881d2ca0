//go:build !purego

package kernels

// assembly lists the one variant that every arm64 processor can run. It does
// whole vectors in assembly and leaves what remains to the generic version.
func assembly() []variant {
	return []variant{vectorised("neon", simd{
		lanes: 4, roots: 1,
		max: maxNEON, count: countNEON, collect: collectNEON, entries: entriesNEON,
		sumExp: sumExpNEON, exp: expNEON,
	})}
}
