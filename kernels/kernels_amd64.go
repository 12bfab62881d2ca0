//go:build !purego

package kernels

import "golang.org/x/sys/cpu"

// assembly lists the variants that this processor can run. Each does whole
// vectors in assembly and leaves what remains to the generic version.
func assembly() []variant {
	var list []variant
	x := cpu.X86
	if x.HasAVX512F && x.HasAVX512DQ && x.HasAVX512BW && x.HasAVX512VBMI2 && x.HasPOPCNT {
		list = append(list, vectorised("avx512", simd{
			lanes: 32, roots: 16,
			max: maxAVX512, count: countAVX512, collect: collectAVX512, entries: entriesAVX512,
			sumExp: sumExpAVX512, exp: expAVX512,
		}))
	}
	if x.HasAVX2 && x.HasFMA && x.HasPOPCNT {
		list = append(list, vectorised("avx2", simd{
			lanes: 8, roots: 8,
			max: maxAVX2, count: countAVX2, collect: collectAVX2, entries: entriesAVX2,
			sumExp: sumExpAVX2, exp: expAVX2,
		}))
	}
	return list
}
