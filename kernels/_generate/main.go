// Command _generate writes the amd64 assembly of package kernels. It is a
// module of its own, so that avo does not become a dependency of axon.
//
// Every function takes a slice whose length is a multiple of its lanes; the
// callers in Go do the few values that remain. What a function computes is
// said, and defined, by its namesake in ../generic.go.
package main

import (
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func main() {
	ConstraintExpr("amd64,!purego")
	expConstants()
	avx2()
	avx512()
	Generate()
}

// Immediates of VCMPPS, VROUNDPS and VRNDSCALEPS.
const (
	unordered    = 3    // either is NaN
	greaterEqual = 0x1d // ordered, quiet
	lessEqual    = 0x12 // ordered, quiet
	nearestEven  = 8
)

// unroll is how many vectors a turn of a main loop takes.
const unroll = 4

// loops emits a loop that takes unroll vectors a turn and one that takes the
// rest one by one. body is given the address of each of its vectors.
func loops(name string, bytes int, x, n reg, body func(at []Mem)) {
	loopsOf(unroll, name, bytes, x, n, body)
}

func loopsOf(unroll int, name string, bytes int, x, n reg, body func(at []Mem)) {
	for _, vectors := range slices.Compact([]int{unroll, 1}) {
		loop, done := labels(name, vectors)
		Label(loop)
		CMPQ(n, U32(vectors*bytes/4))
		JL(LabelRef(done))
		var at []Mem
		for i := range vectors {
			at = append(at, Mem{Base: x, Disp: i * bytes})
		}
		body(at)
		ADDQ(U32(vectors*bytes), x)
		SUBQ(U32(vectors*bytes/4), n)
		JMP(LabelRef(loop))
		Label(done)
	}
}
