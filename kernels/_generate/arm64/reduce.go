package main

const minusInf = 0xff800000 // the bits of −Inf

// maxNEON relies on FMAX, which is NaN when either operand is.
func maxNEON(b *builder) {
	b.function("maxNEON", 28)
	x, n := b.load("x_base+0"), b.load("x_len+8")
	best := []vec{b.constant(minusInf)}
	for len(best) < unroll {
		v := b.vec()
		b.copy(best[0], v)
		best = append(best, v)
	}
	b.loops(n, func(vectors int) {
		v := b.group(vectors)
		b.next(x, v)
		for i := range v {
			b.word(fmax, best[i], best[i], v[i])
		}
	})
	fold(best, func(to, from vec) { b.word(fmax, to, to, from) })
	b.word(fmaxv, best[0], best[0])
	b.op("FMOVS", best[0].f(), "ret+24(FP)")
	b.op("RET")
}

func countNEON(b *builder) {
	b.function("countNEON", 40)
	x, n := b.load("x_base+0"), b.load("x_len+8")
	least, count := b.splat("least+24"), b.group(unroll)
	for _, c := range count {
		b.zero(c)
	}
	b.loops(n, func(vectors int) {
		v := b.group(vectors)
		b.next(x, v)
		for i := range v {
			b.word(fcmge, v[i], v[i], least)
			b.op("VSUB", v[i].s(), count[i].s(), count[i].s()) // a lane that holds is −1
		}
	})
	fold(count, func(to, from vec) { b.op("VADD", from.s(), to.s(), to.s()) })
	b.op("VADDV", count[0].s(), count[0].v())
	b.op("FMOVS", count[0].f(), n.r())
	b.op("MOVD", n.r(), "ret+32(FP)")
	b.op("RET")
}
