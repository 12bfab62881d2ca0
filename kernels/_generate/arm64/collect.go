package main

import (
	"fmt"
	"math/bits"
)

// laneConstants defines positions, the numbers of the lanes; sets, the bit of a
// lane in a set of lanes, in the upper half of a byte, four times; and
// packLanes, which says for each set in 16 bytes whence VTBL takes the bytes of
// a vector whose lanes of the set are moved to the front.
func laneConstants(b *builder) {
	b.data("positions", 0, 1, 2, 3)
	b.data("sets", 0x80402010, 0x80402010, 0x80402010, 0x80402010)
	var words []uint32
	for set := range uint8(1 << lanes) {
		for range lanes {
			lane := uint32(bits.TrailingZeros8(set)) % lanes // of none left, any
			words = append(words, 0x03020100+0x04040404*lane)
			set &= set - 1
		}
	}
	b.data("packLanes", words...)
}

// packer emits what moves the lanes that are least or more to the front.
type packer struct {
	*builder
	least, sets vec
	table       gp
}

func (b *builder) vector(symbol string) vec {
	v := b.vec()
	b.op("VLD1", b.address(symbol).at(), list([]vec{v}))
	return v
}

func newPacker(b *builder, least string) *packer {
	return &packer{
		builder: b, least: b.splat(least), sets: b.vector("sets"), table: b.address("packLanes"),
	}
}

// each calls move for each of the vectors with the order that brings its lanes
// to the front, and the general register whose lowest byte says how many they
// are. What move emits is passed over when there are none at all.
func (p *packer) each(v []vec, move func(i int, order vec, count gp)) {
	none := fmt.Sprintf("none%d", len(v))
	holds := p.group(len(v))
	for i := range v {
		p.word(fcmge, holds[i], v[i], p.least)
	}
	mask := func(i int) vec { return holds[i%len(holds)] }
	low, high := p.vec(), p.vec()
	p.op("VUZP1", mask(1).h(), mask(0).h(), low.h())
	p.op("VUZP1", mask(3).h(), mask(2).h(), high.h())
	p.op("VUZP1", high.b(), low.b(), low.b())
	p.op("VAND", p.sets.b(), low.b(), low.b())
	p.op("VADDP", low.b(), low.b(), low.b())
	p.op("VADDP", low.b(), low.b(), low.b()) // a byte for each vector
	sets, counts, at := p.gp(), p.gp(), p.gp()
	p.op("FMOVS", low.f(), sets.r())
	p.op("CBZW", sets.r(), none)
	p.op("VCNT", low.b(), low.b())
	p.op("FMOVS", low.f(), counts.r())
	for i := range v {
		if i > 0 {
			p.op("LSR", "$8", sets.r())
			p.op("LSR", "$8", counts.r())
		}
		p.op("ADD", sets.r()+".UXTB", p.table.r(), at.r())
		p.op("VLD1", at.at(), "["+high.b()+"]")
		move(i, high, counts)
	}
	p.label(none)
}

func (p *packer) pack(from, order, to vec) {
	p.op("VTBL", order.b(), "["+from.b()+"]", to.b())
}

// collectNEON passes over sixteen values that are all less as fast as
// countNEON does.
func collectNEON(b *builder) {
	b.function("collectNEON", 96)
	p := newPacker(b, "least+84")
	values, indices, count := b.load("values_base+0"), b.load("indices_base+24"), b.load("n+48")
	b.op("ADD", count.r()+"<<2", values.r())
	b.op("ADD", count.r()+"<<2", indices.r())
	x, n := b.load("x_base+56"), b.load("x_len+64")

	first, position := b.vec(), b.vector("positions")
	b.op("MOVW", "first+80(FP)", count.r())
	b.op("VDUP", count.r(), first.s())
	b.op("VADD", first.s(), position.s(), position.s())
	step := map[int]vec{1: b.constant(lanes), unroll: b.constant(unroll * lanes)}
	b.loops(n, func(vectors int) {
		v := b.group(vectors)
		b.next(x, v)
		index, packed := b.vec(), b.vec()
		b.copy(position, index)
		p.each(v, func(i int, order vec, count gp) {
			p.pack(v[i], order, packed)
			b.op("VST1", list([]vec{packed}), values.at())
			p.pack(index, order, packed)
			b.op("VST1", list([]vec{packed}), indices.at())
			b.op("ADD", count.r()+".UXTB<<2", values.r())
			b.op("ADD", count.r()+".UXTB<<2", indices.r())
			if i+1 < vectors {
				b.op("VADD", step[1].s(), index.s(), index.s())
			}
		})
		b.op("VADD", step[vectors].s(), position.s(), position.s())
	})
	b.op("MOVD", "values_base+0(FP)", count.r())
	b.op("SUB", count.r(), values.r())
	b.op("LSR", "$2", values.r())
	b.op("MOVD", values.r(), "ret+88(FP)")
	b.op("RET")
}

func entriesNEON(b *builder) {
	b.function("entriesNEON", 72)
	p := newPacker(b, "least+56")
	dst, x, n, indices := b.load("dst+0"), b.load("values_base+8"), b.load("values_len+16"), b.load("indices_base+32")
	b.loops(n, func(vectors int) {
		v, index, pair := b.group(vectors), b.group(vectors), b.group(2)
		b.next(x, v)
		b.next(indices, index)
		p.each(v, func(i int, order vec, count gp) {
			p.pack(index[i], order, pair[0])
			p.pack(v[i], order, pair[1])
			b.op("VST2", list(pair), dst.at())
			b.op("ADD", count.r()+".UXTB<<3", dst.r())
		})
	})
	first := b.load("dst+0")
	b.op("SUB", first.r(), dst.r())
	b.op("LSR", "$3", dst.r())
	b.op("MOVD", dst.r(), "ret+64(FP)")
	b.op("RET")
}
