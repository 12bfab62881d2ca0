package main

import (
	"fmt"
	"math"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	r "github.com/mmcloughlin/avo/reg"
)

type reg = r.GPVirtual

func labels(name string, vectors int) (loop, done string) {
	return fmt.Sprintf("%s%d", name, vectors), fmt.Sprintf("%s%dDone", name, vectors)
}

// slice loads the address and the length of a slice parameter.
func slice(name string) (data, length reg) {
	data, length = GP64(), GP64()
	Load(Param(name).Base(), data)
	Load(Param(name).Len(), length)
	return data, length
}

// vectorConst is a constant in every 32-bit lane of a vector.
func vectorConst(name string, bytes int, lane func(i int) Constant) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range bytes / 4 {
		DATA(4*i, lane(i))
	}
	return m
}

// vectorConst16 is a constant of 16-bit lanes.
func vectorConst16(name string, bytes int, lane func(i int) uint16) Mem {
	m := GLOBL(name, RODATA|NOPTR)
	for i := range bytes / 2 {
		DATA(2*i, U16(lane(i)))
	}
	return m
}

// float is a float32 in every lane. Its bits are written: a whole number would
// be taken for an integer.
func float(name string, v float32) Mem {
	return vectorConst(name, narrow, func(int) Constant { return U32(math.Float32bits(v)) })
}

// vectors makes n registers.
func vectors(n int, register func() r.VecVirtual) []r.VecVirtual {
	list := make([]r.VecVirtual, n)
	for i := range list {
		list[i] = register()
	}
	return list
}

// The constants of exp.
var (
	minusInf    Mem
	exp8, exp16 exp2
)

// exp2 is what 2^(r/n) is made of for a number r: the integer part of r/n goes
// to the exponent, one of n roots 2^(j/n) is looked up, and a polynomial does
// the rest of r, which is in [-½, ½].
type exp2 struct {
	scale Mem   // n·log2 e
	c     []Mem // coefficients; the first is 1
	table Mem
}

// roots are the bits of 2^(j/n), less those that j itself will add when it is
// shifted to the exponent together with the integer part.
func (e *exp2) roots(n int) Mem {
	shift := 23 - bits.TrailingZeros(uint(n))
	return vectorConst(fmt.Sprintf("roots%d", n), 4*n, func(j int) Constant {
		return U32(math.Float32bits(float32(math.Exp2(float64(j)/float64(n)))) - uint32(j)<<shift)
	})
}

func newExp2(n int, coefficients ...float32) (e exp2) {
	e.scale = float(fmt.Sprintf("scale%d", n), float32(float64(n)*math.Log2E))
	for i, c := range coefficients {
		e.c = append(e.c, float(fmt.Sprintf("exp%dc%d", n, i), c))
	}
	e.table = e.roots(n)
	return e
}

// The coefficients are minimax in the relative error, with the constant held
// at 1 so that exp(0) is exact: 4.2e-7 for 16 roots, 2.5e-8 for 8.
func expConstants() {
	minusInf = float("minusInf", float32(math.Inf(-1)))
	exp16 = newExp2(16, 1, 0.04332423, 0.00093838)
	exp8 = newExp2(8, 1, 0.0866434, 0.00375403, 0.00010839)
}

// addPairs leaves the sum of the vectors in the first, added in pairs, so that
// roundings do not pile up.
func addPairs(e []r.VecVirtual) {
	for ; len(e) > 1; e = e[:(len(e)+1)/2] {
		for i := range len(e) / 2 {
			VADDPS(e[(len(e)+1)/2+i], e[i], e[i])
		}
	}
}

// foldMax leaves the largest of eight floats in the lowest lane.
func foldMax(y r.VecVirtual) {
	x, t := y.AsX(), XMM()
	VEXTRACTF128(U8(1), y, t)
	VMAXPS(t, x, x)
	VPERMILPS(U8(0x4e), x, t)
	VMAXPS(t, x, x)
	VPERMILPS(U8(0xb1), x, t)
	VMAXPS(t, x, x)
}

// foldSum leaves the sum of four doubles in the lowest lane.
func foldSum(y r.VecVirtual) {
	x, t := y.AsX(), XMM()
	VEXTRACTF128(U8(1), y, t)
	VADDPD(t, x, x)
	VPERMILPD(U8(1), x, t)
	VADDPD(t, x, x)
}

// storeCount returns the sum of eight 32-bit counts.
func storeCount(y r.VecVirtual) {
	x, t := y.AsX(), XMM()
	VEXTRACTI128(U8(1), y, t)
	VPADDD(t, x, x)
	VPSHUFD(U8(0x4e), x, t)
	VPADDD(t, x, x)
	VPSHUFD(U8(0xb1), x, t)
	VPADDD(t, x, x)
	count := GP32()
	VMOVD(x, count)
	Store(count.As64(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}

// param is where a scalar parameter lies.
func param(name string) Mem {
	at, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return at.Addr
}

// broadcastFirst loads the parameter first into every lane, by a way that vet
// understands.
func broadcastFirst(to r.VecVirtual) {
	first, x := GP32(), XMM()
	Load(Param("first"), first)
	VMOVD(first, x)
	VPBROADCASTD(x, to)
}
