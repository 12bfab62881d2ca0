package main

import (
	"fmt"
	"strings"
)

// How the assembler writes registers.
func (v vec) v() string { return fmt.Sprintf("V%d", uint32(v)) }
func (v vec) s() string { return v.v() + ".S4" }
func (v vec) h() string { return v.v() + ".H8" }
func (v vec) b() string { return v.v() + ".B16" }
func (v vec) f() string { return fmt.Sprintf("F%d", uint32(v)) } // as a scalar
func (g gp) r() string  { return fmt.Sprintf("R%d", uint32(g)) }
func (g gp) at() string { return "(" + g.r() + ")" }

func imm(v uint32) string { return fmt.Sprintf("$%#x", v) }

// list is how loads and stores write vectors; they must follow each other.
func list(v []vec) string {
	names := make([]string, len(v))
	for i := range v {
		names[i] = v[i].s()
	}
	return "[" + strings.Join(names, ", ") + "]"
}

const (
	lanes  = 4  // of 32 bits in a vector
	bytes  = 16 // in a vector
	unroll = 4  // vectors a turn of a main loop takes
)

// builder collects the text of the assembly, and hands out the registers of a
// function. Operands are in Go's order, the destination last.
type builder struct {
	strings.Builder
	vecs vec
	gps  gp
}

// function begins a function with so many bytes of arguments and results.
func (b *builder) function(name string, size int) {
	b.vecs, b.gps = 0, 0
	fmt.Fprintf(b, "\nTEXT ·%s(SB), NOSPLIT, $0-%d\n", name, size)
}

func (b *builder) op(name string, operands ...string) {
	fmt.Fprintln(b, strings.TrimRight("\t"+name+" "+strings.Join(operands, ", "), " "))
}

// word emits an instruction that the assembler does not know. Here alone, the
// destination comes first.
func (b *builder) word(i instruction, to vec, from ...vec) {
	word, text := i.encode(to, from...)
	fmt.Fprintf(b, "\tWORD $%#08x // %s\n", word, text)
}

func (b *builder) label(name string) { fmt.Fprintf(b, "%s:\n", name) }

func (b *builder) vec() vec {
	if b.vecs == 32 {
		panic("no vector register is left")
	}
	b.vecs++
	return b.vecs - 1
}

func (b *builder) group(n int) []vec {
	v := make([]vec, n)
	for i := range v {
		v[i] = b.vec()
	}
	return v
}

func (b *builder) gp() gp {
	if b.gps == 16 {
		panic("no general register is left")
	}
	b.gps++
	return b.gps - 1
}

// load loads an argument of 8 bytes.
func (b *builder) load(arg string) gp {
	g := b.gp()
	b.op("MOVD", arg+"(FP)", g.r())
	return g
}

// splat loads a float argument into all lanes.
func (b *builder) splat(arg string) vec {
	v := b.vec()
	b.op("FMOVS", arg+"(FP)", v.f())
	b.op("VDUP", v.v()+".S[0]", v.s())
	return v
}

// constant puts a number into all lanes.
func (b *builder) constant(bits uint32) vec {
	g, v := b.gp(), b.vec()
	b.op("MOVD", imm(bits), g.r())
	b.op("VDUP", g.r(), v.s())
	return v
}

func (b *builder) zero(v vec) { b.op("VEOR", v.b(), v.b(), v.b()) }

func (b *builder) copy(from, to vec) { b.op("VMOV", from.b(), to.b()) }

// address gives the address of a symbol of the file.
func (b *builder) address(symbol string) gp {
	g := b.gp()
	b.op("MOVD", "$"+symbol+"<>(SB)", g.r())
	return g
}

// data defines a symbol of 32-bit words.
func (b *builder) data(symbol string, words ...uint32) {
	fmt.Fprintln(b)
	for i, w := range words {
		fmt.Fprintf(b, "DATA %s<>+%d(SB)/4, $%#08x\n", symbol, 4*i, w)
	}
	fmt.Fprintf(b, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", symbol, 4*len(words))
}

// loops emits a loop that takes unroll vectors a turn and one that takes the
// rest one by one. n is the number of values, body is given how many vectors it
// has to do; the registers it takes are free again afterwards.
func (b *builder) loops(n gp, body func(vectors int)) {
	for _, vectors := range []int{unroll, 1} {
		loop, done := fmt.Sprintf("loop%d", vectors), fmt.Sprintf("done%d", vectors)
		values := imm(uint32(vectors * lanes))
		b.op("SUBS", values, n.r())
		b.op("BLT", done)
		b.label(loop)
		vecs, gps := b.vecs, b.gps
		body(vectors)
		b.vecs, b.gps = vecs, gps
		b.op("SUBS", values, n.r())
		b.op("BGE", loop)
		b.label(done)
		b.op("ADD", values, n.r())
	}
}

// next loads vectors from where at points to, and moves that on.
func (b *builder) next(at gp, v []vec) {
	b.op("VLD1.P", fmt.Sprintf("%d%s", len(v)*bytes, at.at()), list(v))
}

// fold leaves in the first of the vectors what op makes of them all, two by two.
func fold(v []vec, op func(to, from vec)) {
	for ; len(v) > 1; v = v[:(len(v)+1)/2] {
		for i := range len(v) / 2 {
			op(v[i], v[(len(v)+1)/2+i])
		}
	}
}
