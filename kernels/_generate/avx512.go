package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	r "github.com/mmcloughlin/avo/reg"
)

// avx512 needs AVX-512 F, DQ, BW and VBMI2, and POPCNT.
func avx512() {
	maxAVX512()
	sumExpAVX512()
	expAVX512()
	countAVX512()
	collectAVX512()
	entriesAVX512()
}

const wide = 64 // bytes in a ZMM register

func maxAVX512() {
	TEXT("maxAVX512", NOSPLIT, "func(x []float32) float32")
	Doc("maxAVX512 is maxGeneric for a length that is a multiple of 16.")
	x, n := slice("x")
	best := make([]r.VecVirtual, unroll)
	for i := range best {
		best[i] = ZMM()
		VBROADCASTSS(minusInf, best[i])
	}
	nan, k := K(), K()
	KXORW(nan, nan, nan)
	loops("max", wide, x, n, func(at []Mem) {
		v := make([]r.VecVirtual, len(at))
		for i := range at {
			v[i] = ZMM()
			VMOVUPS(at[i], v[i])
			VMAXPS(v[i], best[i], best[i])
		}
		for i := 0; i < len(v); i += 2 { // a pair has a NaN if either has
			VCMPPS(U8(unordered), v[i], v[min(i+1, len(v)-1)], k)
			KORW(k, nan, nan)
		}
	})
	VMAXPS(best[1], best[0], best[0])
	VMAXPS(best[3], best[2], best[2])
	VMAXPS(best[2], best[0], best[0])
	half := YMM()
	VEXTRACTF64X4(U8(1), best[0], half)
	VMAXPS(half, best[0].AsY(), half)
	foldMax(half)
	KTESTW(nan, nan)
	JZ(LabelRef("maxNumbers"))
	VPCMPEQD(half, half, half) // all ones is a NaN
	Label("maxNumbers")
	Store(half.AsX(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// newExponentialZ gives a function that emits the exponentials of some vectors,
// step by step for all of them: their latencies hide each other.
func newExponentialZ() func(x []r.VecVirtual) (e []r.VecVirtual) {
	constant := func(at Mem) r.VecVirtual {
		z := ZMM()
		VBROADCASTSS(at, z)
		return z
	}
	low, magic, scale := constant(param("low")), constant(param("magic")), constant(exp16.scale)
	c1, c2, roots := constant(exp16.c[1]), constant(exp16.c[2]), ZMM()
	VMOVUPS(exp16.table, roots)
	return func(x []r.VecVirtual) (e []r.VecVirtual) {
		bits, e := vectors(len(x), ZMM), vectors(len(x), ZMM)
		for i := range x {
			VMAXPS(x[i], low, x[i])
			VMOVAPS(x[i], bits[i])
			VFMADD132PS(scale, magic, bits[i]) // the whole number ends in the lowest bits
		}
		for i := range x {
			VSUBPS(magic, bits[i], e[i])
			VFMSUB132PS(scale, e[i], x[i]) // what is left, in [-½, ½]
			VMOVAPS(c2, e[i])
		}
		for i := range x {
			VFMADD213PS(c1, x[i], e[i])
			VMULPS(x[i], e[i], e[i])
		}
		for i := range x {
			root := ZMM()
			VPERMPS(roots, bits[i], root)
			VPSLLD(U8(19), bits[i], bits[i])
			VPADDD(bits[i], root, root)
			VFMADD213PS(root, root, e[i])
		}
		return e
	}
}

func sumExpAVX512() {
	TEXT("sumExpAVX512", NOSPLIT, "func(x []float32, low, magic float32) (sum float64, top float32)")
	Doc("sumExpAVX512 is sumExpGeneric as exponent says, for a length that is a multiple of 16.")
	exp := newExponentialZ()
	data, n := slice("x")
	sum := vectors(2, ZMM)
	for _, s := range sum {
		VXORPD(s, s, s)
	}
	top := ZMM()
	VBROADCASTSS(minusInf, top)
	loops("sumExp", wide, data, n, func(at []Mem) {
		x := vectors(len(at), ZMM)
		for i := range at {
			VMOVUPS(at[i], x[i])
			VMAXPS(x[i], top, top)
		}
		e := exp(x)
		addPairs(e)
		lo, hi, half := ZMM(), ZMM(), YMM()
		VEXTRACTF64X4(U8(1), e[0], half)
		VCVTPS2PD(e[0].AsY(), lo)
		VCVTPS2PD(half, hi)
		VADDPD(lo, sum[0], sum[0])
		VADDPD(hi, sum[1], sum[1])
	})
	VADDPD(sum[1], sum[0], sum[0])
	half := YMM()
	VEXTRACTF64X4(U8(1), sum[0], half)
	VADDPD(half, sum[0].AsY(), half)
	foldSum(half)
	Store(half.AsX(), Return("sum"))
	half = YMM()
	VEXTRACTF64X4(U8(1), top, half)
	VMAXPS(half, top.AsY(), half)
	foldMax(half)
	Store(half.AsX(), Return("top"))
	VZEROUPPER()
	RET()
}

func expAVX512() {
	TEXT("expAVX512", NOSPLIT, "func(dst, x []float32, low, magic, factor float32)")
	Doc("expAVX512 is expGeneric as exponent says, for a length of x that is a multiple of 16.")
	exp := newExponentialZ()
	dst := GP64()
	Load(Param("dst").Base(), dst)
	x, n := slice("x")
	SUBQ(x, dst)
	low, factor := ZMM(), ZMM()
	VBROADCASTSS(param("low"), low)
	VBROADCASTSS(param("factor"), factor)
	loops("exp", wide, x, n, func(at []Mem) {
		v := vectors(len(at), ZMM)
		for i := range at {
			VMOVUPS(at[i], v[i])
		}
		for i, e := range exp(v) {
			k := K()
			VCMPPS(U8(lessEqual), at[i], low, k)
			VMULPS_Z(factor, e, k, e)
			VMOVUPS(e, Mem{Base: x, Index: dst, Scale: 1, Disp: at[i].Disp})
		}
	})
	VZEROUPPER()
	RET()
}

func countAVX512() {
	TEXT("countAVX512", NOSPLIT, "func(x []float32, least float32) int")
	Doc("countAVX512 is countGeneric for a length that is a multiple of 16.")
	x, n := slice("x")
	least, one := ZMM(), ZMM()
	VBROADCASTSS(param("least"), least)
	bits := GP32()
	MOVL(U32(1), bits)
	VPBROADCASTD(bits, one)
	count := make([]r.VecVirtual, unroll)
	for i := range count {
		count[i] = ZMM()
		VPXORD(count[i], count[i], count[i])
	}
	loops("count", wide, x, n, func(at []Mem) {
		for i := range at {
			k := K()
			v := ZMM()
			VMOVUPS(at[i], v)
			VCMPPS(U8(greaterEqual), least, v, k)
			VPADDD(one, count[i], k, count[i])
		}
	})
	VPADDD(count[1], count[0], count[0])
	VPADDD(count[3], count[2], count[2])
	VPADDD(count[2], count[0], count[0])
	half := YMM()
	VEXTRACTI64X4(U8(1), count[0], half)
	VPADDD(half, count[0].AsY(), half)
	storeCount(half)
}

func collectAVX512() {
	TEXT("collectAVX512", NOSPLIT, "func(values []float32, indices []int32, n int, x []float32, first int32, least float32) int")
	Doc("collectAVX512 is collectGeneric for a length of x that is a multiple of 32, and block at most.", "It writes up to 16 values and indices beyond those it counts.")
	values, indices, count := GP64(), GP64(), GP64()
	Load(Param("values").Base(), values)
	Load(Param("indices").Base(), indices)
	Load(Param("n"), count)
	LEAQ(Mem{Base: values, Index: count, Scale: 4}, values)
	LEAQ(Mem{Base: indices, Index: count, Scale: 4}, indices)
	x, n := slice("x")

	Comment("First the positions, 16 bits each, to where the indices will be.")
	least, position, step := ZMM(), ZMM(), ZMM()
	VBROADCASTSS(param("least"), least)
	VMOVDQU32(vectorConst16("positions", wide, func(i int) uint16 { return uint16(i) }), position)
	VMOVDQU32(vectorConst16("thirtyTwo", wide, func(int) uint16 { return wide / 2 }), step)
	packed := ZMM()
	found, end := GP64(), GP64()
	XORQ(found, found)
	LEAQ(Mem{Base: x, Index: n, Scale: 4}, end)
	at := GP64()
	MOVQ(x, at)
	JMP(LabelRef("collectTest"))
	Label("collectLoop")
	{
		low, high, both, mask := K(), K(), K(), GP32()
		VCMPPS(U8(lessEqual), Mem{Base: at}, least, low)
		VCMPPS(U8(lessEqual), Mem{Base: at, Disp: wide}, least, high)
		KUNPCKWD(low, high, both)
		packWords(position, both, packed)
		VMOVDQU(packed.AsY(), Mem{Base: indices, Index: found, Scale: 2})
		KMOVD(both, mask)
		POPCNTL(mask, mask)
		CMPL(mask, U8(16))
		JHI(LabelRef("collectMany"))
		Label("collectNext")
		ADDQ(mask.As64(), found)
		VPADDW(step, position, position)
		ADDQ(U32(2*wide), at)
	}
	Label("collectTest")
	CMPQ(at, end)
	JB(LabelRef("collectLoop"))

	Comment("Then, from the last to the first, the indices in their place and the values.")
	total := GP64()
	Load(Param("n"), total)
	ADDQ(found, total)
	first, lastPosition := ZMM(), ZMM()
	broadcastFirst(first)
	DECQ(n)
	VPBROADCASTD(n.As32(), lastPosition)
	ADDQ(U8(15), found)
	ANDQ(I8(-16), found)
	JMP(LabelRef("expandTest"))
	Label("expandLoop")
	{
		p, v, all := ZMM(), ZMM(), K()
		VPMOVZXWD(Mem{Base: indices, Index: found, Scale: 2}, p)
		VPMINUD(lastPosition, p, p) // beyond the last there is anything
		KXNORW(all, all, all)
		VGATHERDPS(Mem{Base: x, Index: p, Scale: 4}, all, v)
		VPADDD(first, p, p)
		VMOVUPS(v, Mem{Base: values, Index: found, Scale: 4})
		VMOVDQU32(p, Mem{Base: indices, Index: found, Scale: 4})
	}
	Label("expandTest")
	SUBQ(U8(16), found)
	JGE(LabelRef("expandLoop"))
	Store(total, ReturnIndex(0))
	VZEROUPPER()
	RET()

	Label("collectMany")
	VMOVDQU32(packed, Mem{Base: indices, Index: found, Scale: 2})
	JMP(LabelRef("collectNext"))
}

func entriesAVX512() {
	TEXT("entriesAVX512", NOSPLIT, "func(dst *uint64, values []float32, indices []int32, least float32) int")
	Doc("entriesAVX512 is entriesGeneric for a number of values that is a multiple of 16.", "It writes up to 16 entries beyond those it counts.")
	dst, indices, count := GP64(), GP64(), GP64()
	Load(Param("dst"), dst)
	Load(Param("indices").Base(), indices)
	x, n := slice("values")
	SUBQ(x, indices)
	XORQ(count, count)
	least, lower, upper := ZMM(), ZMM(), ZMM()
	VBROADCASTSS(param("least"), least)
	zip := func(half int) func(i int) Constant { // index, value, index, value …
		return func(i int) Constant { return U32(uint32(half + i/2 + 16*(i%2))) }
	}
	VMOVDQU32(vectorConst("zipLower", wide, zip(0)), lower)
	VMOVDQU32(vectorConst("zipUpper", wide, zip(8)), upper)
	loopsOf(1, "entries", wide, x, n, func(at []Mem) {
		v, i, both, k, mask := ZMM(), ZMM(), ZMM(), K(), GP32()
		VMOVUPS(at[0], v)
		VCMPPS(U8(greaterEqual), least, v, k)
		VCOMPRESSPS_Z(v, k, v)
		VMOVDQU32(Mem{Base: indices, Index: x, Scale: 1}, i)
		VPCOMPRESSD_Z(i, k, i)
		VMOVDQA32(lower, both)
		VPERMI2D(v, i, both)
		VMOVDQU32(both, Mem{Base: dst, Index: count, Scale: 8})
		VMOVDQA32(upper, both)
		VPERMI2D(v, i, both)
		VMOVDQU32(both, Mem{Base: dst, Index: count, Scale: 8, Disp: wide})
		KMOVW(k, mask)
		POPCNTL(mask, mask)
		ADDQ(mask.As64(), count)
	})
	Store(count, ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// packWords is VPCOMPRESSW.Z, which avo does not know.
func packWords(from, set, to Op) {
	Instruction(&ir.Instruction{
		Opcode: "VPCOMPRESSW", Suffixes: []string{"Z"}, Operands: []Op{from, set, to},
		Inputs: []Op{from, set}, Outputs: []Op{to}, ISA: []string{"AVX512VBMI2"},
	})
}
