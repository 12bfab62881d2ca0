package main

import "fmt"

// vec is the number of a vector register, gp of a general one.
type (
	vec uint32
	gp  uint32
)

// group is what the encodings of a kind of instructions have in common: the
// fixed bits, and where the opcode goes. Chapter C4 of the Arm Architecture
// Reference Manual names the groups like this.
type group struct {
	fixed, opcodeAt uint32
}

var (
	threeSame      = group{0x0e200400, 11}
	twoMisc        = group{0x0e200800, 12}
	acrossLanes    = group{0x0e300800, 12}
	scalarPairwise = group{0x5e300800, 12}
)

// instruction is one that Go's assembler does not know.
type instruction struct {
	name string
	group
	q, u, size, opcode uint32
	to, from           string // what follows the registers: the arrangement of lanes
}

// full, in the field q, takes all 128 bits of the registers.
const full = 1

var (
	fadd   = instruction{"fadd", threeSame, full, 0, 0, 0x1a, "v%d.4s", "v%d.4s"}
	faddD  = instruction{"fadd", threeSame, full, 0, 1, 0x1a, "v%d.2d", "v%d.2d"}
	fsub   = instruction{"fsub", threeSame, full, 0, 2, 0x1a, "v%d.4s", "v%d.4s"}
	fmul   = instruction{"fmul", threeSame, full, 1, 0, 0x1b, "v%d.4s", "v%d.4s"}
	fmax   = instruction{"fmax", threeSame, full, 0, 0, 0x1e, "v%d.4s", "v%d.4s"}
	fcmge  = instruction{"fcmge", threeSame, full, 1, 0, 0x1c, "v%d.4s", "v%d.4s"}
	fcmgt  = instruction{"fcmgt", threeSame, full, 1, 2, 0x1c, "v%d.4s", "v%d.4s"}
	bic    = instruction{"bic", threeSame, full, 0, 1, 0x03, "v%d.16b", "v%d.16b"}
	fmaxv  = instruction{"fmaxv", acrossLanes, full, 1, 0, 0x0f, "s%d", "v%d.4s"}
	faddp  = instruction{"faddp", scalarPairwise, 0, 1, 1, 0x0d, "d%d", "v%d.2d"}
	fcvtl  = instruction{"fcvtl", twoMisc, 0, 0, 1, 0x17, "v%d.2d", "v%d.2s"}
	fcvtl2 = instruction{"fcvtl2", twoMisc, full, 0, 1, 0x17, "v%d.2d", "v%d.4s"}
)

// encode is the word of the instruction and its text. The registers are those
// of the manual, in its order: Rd, Rn and, when there is one, Rm.
func (i instruction) encode(to vec, from ...vec) (word uint32, text string) {
	word = i.fixed | i.q<<30 | i.u<<29 | i.size<<22 | i.opcode<<i.opcodeAt | uint32(to)
	text = i.name + " " + fmt.Sprintf(i.to, to)
	for n, v := range from {
		word |= uint32(v) << []int{5, 16}[n]
		text += ", " + fmt.Sprintf(i.from, v)
	}
	return word, text
}
