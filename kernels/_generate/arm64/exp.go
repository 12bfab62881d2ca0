package main

import (
	"fmt"
	"math"
)

// The constants of exp in memory: scale, which is log2 e, then 1, then the
// coefficients of t, t² … in 2^-t for t in [-½, ½]. Those are minimax in the
// relative error, 1.1e-7 once rounded, with the constant held at 1 so that
// exp(0) is exact.
func expConstants(b *builder) {
	var words []uint32
	for _, c := range []float32{math.Log2E, 1, -0.693147, 0.24022242, -0.055507336, 0.009671513, -0.0013264727} {
		words = append(words, math.Float32bits(c))
	}
	b.data("exp2", words...)
}

// exponential emits exp(x − shift) as ../vectorised.go says of exponent, with
// one root.
type exponential struct {
	*builder
	low, magic, scale, one vec
	c                      []vec // of t, t² …
}

func newExponential(b *builder, low, magic string) *exponential {
	e := &exponential{builder: b, low: b.splat(low), magic: b.splat(magic)}
	at := b.address("exp2")
	constant := func() vec {
		v := b.vec()
		b.op("VLD1R.P", "4"+at.at(), list([]vec{v}))
		return v
	}
	e.scale, e.one = constant(), constant()
	for range 5 {
		e.c = append(e.c, constant())
	}
	return e
}

// of goes step by step for all vectors: their latencies hide each other. Below
// low, the result stays at exp(low − shift). The vectors of x are used up, and
// those of spare may be taken once it is done.
func (e *exponential) of(x []vec) (result, spare []vec) {
	n := len(x)
	power, t, low, high := e.group(n), e.group(n), e.group(n), e.group(n)
	multiplyAdd := func(a, by, to vec) { e.op("VFMLA", a.s(), by.s(), to.s()) }
	for i := range x {
		e.word(fmax, x[i], x[i], e.low)
		e.copy(e.magic, power[i])
		multiplyAdd(e.scale, x[i], power[i]) // the whole number ends in the lowest bits
	}
	for i := range x {
		e.word(fsub, t[i], power[i], e.magic)
		e.op("VFMLS", e.scale.s(), x[i].s(), t[i].s()) // less what x·scale is, in [-½, ½]
	}
	square := x
	for i := range x {
		e.word(fmul, square[i], t[i], t[i])
		e.copy(e.c[0], low[i])
		multiplyAdd(e.c[1], t[i], low[i])
		e.copy(e.c[2], high[i])
		multiplyAdd(e.c[3], t[i], high[i])
	}
	for i := range x {
		multiplyAdd(e.c[4], square[i], high[i])
	}
	for i := range x {
		multiplyAdd(high[i], square[i], low[i])
		e.op("VSHL", "$23", power[i].s(), power[i].s())
	}
	for i := range x {
		e.word(fmul, low[i], low[i], t[i])
		e.op("VADD", e.one.s(), power[i].s(), power[i].s())
	}
	for i := range x {
		multiplyAdd(low[i], power[i], power[i])
	}
	return power, t
}

func sumExpNEON(b *builder) {
	b.function("sumExpNEON", 44)
	exp := newExponential(b, "low+24", "magic+28")
	data, n := b.load("x_base+0"), b.load("x_len+8")
	top, sum := b.constant(minusInf), b.group(2)
	for _, s := range sum {
		b.zero(s)
	}
	b.loops(n, func(vectors int) {
		x := b.group(vectors)
		b.next(data, x)
		for i := range x {
			b.word(fmax, top, top, x[i])
		}
		e, spare := exp.of(x)
		fold(e, func(to, from vec) { b.word(fadd, to, to, from) }) // in pairs, so that roundings do not pile up
		b.word(fcvtl, spare[0], e[0])
		b.word(fcvtl2, e[0], e[0])
		b.word(faddD, sum[0], sum[0], spare[0])
		b.word(faddD, sum[1], sum[1], e[0])
	})
	b.word(faddD, sum[0], sum[0], sum[1])
	b.word(faddp, sum[0], sum[0])
	b.op("FMOVD", sum[0].f(), "sum+32(FP)")
	b.word(fmaxv, top, top)
	b.op("FMOVS", top.f(), "top+40(FP)")
	b.op("RET")
}

func expNEON(b *builder) {
	b.function("expNEON", 60)
	exp := newExponential(b, "low+48", "magic+52")
	dst, data, n, factor := b.load("dst_base+0"), b.load("x_base+24"), b.load("x_len+32"), b.splat("factor+56")
	b.loops(n, func(vectors int) {
		x := b.group(vectors)
		b.op("VLD1", data.at(), list(x))
		e, again := exp.of(x)
		b.next(data, again)
		for i := range e {
			b.word(fcmgt, again[i], exp.low, again[i])
			b.word(fmul, e[i], e[i], factor)
			b.word(bic, e[i], e[i], again[i]) // zero below low
		}
		b.op("VST1.P", list(e), fmt.Sprintf("%d%s", vectors*bytes, dst.at()))
	})
	b.op("RET")
}
