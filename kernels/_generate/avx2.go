package main

import (
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	r "github.com/mmcloughlin/avo/reg"
)

// avx2 needs AVX2, FMA and POPCNT.
func avx2() {
	packLanes = packLanesConst()
	maxAVX2()
	sumExpAVX2()
	expAVX2()
	countAVX2()
	collectAVX2()
	entriesAVX2()
}

var packLanes Mem

const narrow = 32 // bytes in a YMM register

func maxAVX2() {
	TEXT("maxAVX2", NOSPLIT, "func(x []float32) float32")
	Doc("maxAVX2 is maxGeneric for a length that is a multiple of 8.")
	x, n := slice("x")
	best := make([]r.VecVirtual, unroll)
	for i := range best {
		best[i] = YMM()
		VBROADCASTSS(minusInf, best[i])
	}
	nan := YMM()
	VXORPS(nan, nan, nan)
	loops("max", narrow, x, n, func(at []Mem) {
		v := make([]r.VecVirtual, len(at))
		for i := range at {
			v[i] = YMM()
			VMOVUPS(at[i], v[i])
			VMAXPS(v[i], best[i], best[i])
		}
		for i := 0; i < len(v); i += 2 { // a pair has a NaN if either has
			u := YMM()
			VCMPPS(U8(unordered), v[i], v[min(i+1, len(v)-1)], u)
			VORPS(u, nan, nan)
		}
	})
	VMAXPS(best[1], best[0], best[0])
	VMAXPS(best[3], best[2], best[2])
	VMAXPS(best[2], best[0], best[0])
	foldMax(best[0])
	VPTEST(nan, nan)
	JZ(LabelRef("maxNumbers"))
	VPCMPEQD(best[0], best[0], best[0]) // all ones is a NaN
	Label("maxNumbers")
	Store(best[0].AsX(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// newExponentialY gives a function that emits exp(x − shift) of some vectors,
// step by step for all of them: their latencies hide each other. Below lowest,
// the result stays at exp(lowest). Most constants stay in memory: the
// registers are needed.
func newExponentialY() func(x []r.VecVirtual) (e []r.VecVirtual) {
	constant := func(at Mem) r.VecVirtual {
		y := YMM()
		VBROADCASTSS(at, y)
		return y
	}
	low, magic, roots := constant(param("low")), constant(param("magic")), YMM()
	VMOVUPS(exp8.table, roots)
	return func(x []r.VecVirtual) (e []r.VecVirtual) {
		bits, e := vectors(len(x), YMM), vectors(len(x), YMM)
		for i := range x {
			VMAXPS(x[i], low, x[i])
			VMOVAPS(x[i], bits[i])
			VFMADD132PS(exp8.scale, magic, bits[i]) // the whole number ends in the lowest bits
		}
		for i := range x {
			VSUBPS(magic, bits[i], e[i])
			VFMSUB132PS(exp8.scale, e[i], x[i]) // what is left, in [-½, ½]
			VMOVAPS(exp8.c[3], e[i])
		}
		for j := 2; j >= 1; j-- {
			for i := range x {
				VFMADD213PS(exp8.c[j], x[i], e[i])
			}
		}
		for i := range x {
			VMULPS(x[i], e[i], e[i])
			root := x[i]
			VPERMPS(roots, bits[i], root)
			VPSLLD(U8(20), bits[i], bits[i])
			VPADDD(bits[i], root, root)
			VFMADD213PS(root, root, e[i])
		}
		return e
	}
}

func sumExpAVX2() {
	TEXT("sumExpAVX2", NOSPLIT, "func(x []float32, low, magic float32) (sum float64, top float32)")
	Doc("sumExpAVX2 is sumExpGeneric as exponent says, for a length that is a multiple of 8.")
	exp := newExponentialY()
	data, n := slice("x")
	sum, top := AllocLocal(narrow), YMM() // one register too few
	VXORPD(top, top, top)
	VMOVUPD(top, sum)
	VBROADCASTSS(minusInf, top)
	loops("sumExp", narrow, data, n, func(at []Mem) {
		x := vectors(len(at), YMM)
		for i := range at {
			VMOVUPS(at[i], x[i])
			VMAXPS(x[i], top, top)
		}
		e := exp(x)
		addPairs(e)
		half := XMM()
		VEXTRACTF128(U8(1), e[0], half)
		VCVTPS2PD(half, half.AsY())
		VCVTPS2PD(e[0].AsX(), e[0])
		VADDPD(e[0], half.AsY(), half.AsY())
		VADDPD(sum, half.AsY(), half.AsY())
		VMOVUPD(half.AsY(), sum)
	})
	total := YMM()
	VMOVUPD(sum, total)
	foldSum(total)
	Store(total.AsX(), Return("sum"))
	foldMax(top)
	Store(top.AsX(), Return("top"))
	VZEROUPPER()
	RET()
}

func expAVX2() {
	TEXT("expAVX2", NOSPLIT, "func(dst, x []float32, low, magic, factor float32)")
	Doc("expAVX2 is expGeneric as exponent says, for a length of x that is a multiple of 8.")
	exp := newExponentialY()
	dst := GP64()
	Load(Param("dst").Base(), dst)
	x, n := slice("x")
	SUBQ(x, dst)
	loops("exp", narrow, x, n, func(at []Mem) {
		v := vectors(len(at), YMM)
		for i := range at {
			VMOVUPS(at[i], v[i])
		}
		for i, e := range exp(v) {
			y := YMM()
			VBROADCASTSS(param("factor"), y)
			VMULPS(y, e, e)
			VBROADCASTSS(param("low"), y)
			VCMPPS(U8(lessEqual), at[i], y, y)
			VANDPS(y, e, e)
			VMOVUPS(e, Mem{Base: x, Index: dst, Scale: 1, Disp: at[i].Disp})
		}
	})
	VZEROUPPER()
	RET()
}

func countAVX2() {
	TEXT("countAVX2", NOSPLIT, "func(x []float32, least float32) int")
	Doc("countAVX2 is countGeneric for a length that is a multiple of 8.")
	x, n := slice("x")
	least := YMM()
	VBROADCASTSS(param("least"), least)
	count := make([]r.VecVirtual, unroll)
	for i := range count {
		count[i] = YMM()
		VPXOR(count[i], count[i], count[i])
	}
	loops("count", narrow, x, n, func(at []Mem) {
		for i := range at {
			v := YMM()
			VMOVUPS(at[i], v)
			VCMPPS(U8(greaterEqual), least, v, v)
			VPSUBD(v, count[i], count[i]) // a lane that holds is −1
		}
	})
	VPADDD(count[1], count[0], count[0])
	VPADDD(count[3], count[2], count[2])
	VPADDD(count[2], count[0], count[0])
	storeCount(count[0])
}

// packLanes, made by packLanesConst, says for each set of lanes which lane comes where when those of
// the set are moved to the front, one byte a lane.
func packLanesConst() Mem {
	m := GLOBL("packLanes", RODATA|NOPTR)
	for set := range 256 {
		var lanes uint64
		for i, rest := 0, uint8(set); rest != 0; i++ {
			lanes |= uint64(bits.TrailingZeros8(rest)) << (8 * i)
			rest &= rest - 1
		}
		DATA(8*set, U64(lanes))
	}
	return m
}

func collectAVX2() {
	TEXT("collectAVX2", NOSPLIT, "func(values []float32, indices []int32, n int, x []float32, first int32, least float32) int")
	Doc("collectAVX2 is collectGeneric for a length of x that is a multiple of 8.", "It writes up to 8 values and indices beyond those it counts.")
	values, indices, count := GP64(), GP64(), GP64()
	Load(Param("values").Base(), values)
	Load(Param("indices").Base(), indices)
	Load(Param("n"), count)
	x, n := slice("x")
	lanes := GP64()
	LEAQ(packLanes, lanes)
	least, index, step := YMM(), YMM(), YMM()
	VBROADCASTSS(param("least"), least)
	broadcastFirst(index)
	VPADDD(vectorConst("lanes8", narrow, func(i int) Constant { return U32(uint32(i)) }), index, index)
	VPBROADCASTD(vectorConst("eight", 4, func(int) Constant { return U32(narrow / 4) }), step)
	loops("collect", narrow, x, n, func(at []Mem) {
		for i := range at {
			v, k, order, mask := YMM(), YMM(), YMM(), GP64()
			packedI := YMM()
			VMOVUPS(at[i], v)
			VCMPPS(U8(greaterEqual), least, v, k)
			VMOVMSKPS(k, mask.As32())
			VPMOVZXBD(Mem{Base: lanes, Index: mask, Scale: 8}, order)
			VPERMPS(v, order, v)
			VPERMD(index, order, packedI)
			VMOVUPS(v, Mem{Base: values, Index: count, Scale: 4})
			VMOVDQU(packedI, Mem{Base: indices, Index: count, Scale: 4})
			POPCNTQ(mask, mask)
			ADDQ(mask, count)
			VPADDD(step, index, index)
		}
	})
	Store(count, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

func entriesAVX2() {
	TEXT("entriesAVX2", NOSPLIT, "func(dst *uint64, values []float32, indices []int32, least float32) int")
	Doc("entriesAVX2 is entriesGeneric for a number of values that is a multiple of 8.", "It writes up to 8 entries beyond those it counts.")
	dst, indices, count, lanes := GP64(), GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("indices").Base(), indices)
	x, n := slice("values")
	SUBQ(x, indices)
	XORQ(count, count)
	LEAQ(packLanes, lanes)
	least := YMM()
	VBROADCASTSS(param("least"), least)
	loopsOf(1, "entries", narrow, x, n, func(at []Mem) {
		v, k, order, i, mask := YMM(), YMM(), YMM(), YMM(), GP64()
		VMOVUPS(at[0], v)
		VCMPPS(U8(greaterEqual), least, v, k)
		VMOVMSKPS(k, mask.As32())
		VPMOVZXBD(Mem{Base: lanes, Index: mask, Scale: 8}, order)
		VPERMPS(v, order, v)
		VPERMD(Mem{Base: indices, Index: x, Scale: 1}, order, i)
		low, high, pairs := YMM(), YMM(), YMM()
		VPUNPCKLDQ(v, i, low)
		VPUNPCKHDQ(v, i, high)
		VPERM2I128(U8(0x20), high, low, pairs)
		VMOVDQU(pairs, Mem{Base: dst, Index: count, Scale: 8})
		VPERM2I128(U8(0x31), high, low, pairs)
		VMOVDQU(pairs, Mem{Base: dst, Index: count, Scale: 8, Disp: narrow})
		POPCNTQ(mask, mask)
		ADDQ(mask, count)
	})
	Store(count, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
