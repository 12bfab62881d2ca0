package pack

import (
	"math"
	"math/bits"
)

// grid is the spacing of levels for rows of about k entries. Above the knee levels
// are uniform in s = exp(l/2), the square root of the probability, with step c/2;
// below it they are uniform in l with step d. Where p = s², an error e of l costs
// p·e²/2 nats of KL, hence c²/24 each entry, whatever its probability, if the error
// is uniform within a cell of width c/s: c = √(24·T/k) makes that T a row.
//
// Levels are numbered from 1; 0 is −Inf.
type grid struct {
	levels []level
	// cells are the pieces of the function from log-probabilities to levels.
	cells []cell
	knee  float32 // nats
}

// level is what a level decodes to.
type level struct {
	log  float32 // nats
	mass float32 // exp(log)
}

// cell is a piece of the quantiser: level = a0 + l·(a1 + l·a2). Piece 0 is all below the
// knee, where a2 is 0; the others begin cellsPerNat a nat from the knee on.
type cell struct{ a0, a1, a2 float32 }

// With 16 pieces a nat the third term of exp(h/2), which is left out, is at most
// (1/64)³/6 < 7e-7 of the value.
const cellsPerNat = 16

// spareLevels lie above that of p = 1, so that a quantiser may round as it likes. One
// in float32 is off by two levels where there are millions of them.
const spareLevels = 4

// bucket is k, or 1, rounded up to three significant bits, so that rows of many lengths
// share few grids. Powers of two stay what they are.
func bucket(k int) int {
	k = max(k, 1)
	shift := max(0, bits.Len(uint(k))-3)
	return (k + 1<<shift - 1) >> shift << shift
}

// shape is where a grid bends: docs/packing.md, "Levels", has the same names.
type shape struct {
	c, d   float64 // steps: c/2 of s above the knee, d nats below
	s0, l0 float64 // the knee as s and as l
	base   int     // the level at the knee
	top    int     // the highest level
}

func newShape(sp spacing, k int) shape {
	t := float64(sp.kl) / klUnit
	g := shape{c: math.Sqrt(24 * t / float64(bucket(k))), d: float64(sp.step) / stepUnit}
	g.s0 = min(1, g.c/g.d)
	g.l0 = 2 * math.Log(g.s0)
	g.base = 1 + int(math.Ceil((g.l0-Floor)/g.d))
	g.top = g.base + int(math.Ceil((1-g.s0)*2/g.c)) + spareLevels
	return g
}

func newGrid(sp spacing, k int) *grid {
	f := newShape(sp, k)
	g := &grid{knee: float32(f.l0), levels: make([]level, f.top+1)}
	g.levels[0].log = float32(math.Inf(-1))
	for i := 1; i <= f.top; i++ {
		n := float64(i - f.base)
		if n < 0 {
			l := f.l0 + n*f.d
			g.levels[i] = level{float32(l), float32(math.Exp(l))}
			continue
		}
		s := f.s0 + n*f.c/2
		g.levels[i] = level{float32(2 * math.Log(s)), float32(s * s)}
	}
	g.cells = f.pieces()
	return g
}

// pieces are the quantiser's: level = base + 1/2 + (l−l0)/d below the knee, and
// base + 1/2 + (exp(l/2)−s0)·2/c above. The half makes truncation round.
func (f shape) pieces() []cell {
	half := float64(f.base) + 0.5
	cells := []cell{parabola(f.l0, half, 1/f.d, 0)}
	for i := 0; float64(i) <= 1-f.l0*cellsPerNat; i++ { // one more than there is, for rounding
		mid := f.l0 + (float64(i)+0.5)/cellsPerNat
		s := math.Exp(mid / 2)
		cells = append(cells, parabola(mid, half+(s-f.s0)*2/f.c, s/f.c, s/f.c/4))
	}
	return cells
}

// parabola is y + slope·(l−at) + bend·(l−at)².
func parabola(at, y, slope, bend float64) cell {
	return cell{
		a0: float32(y - at*(slope-at*bend)),
		a1: float32(slope - 2*at*bend),
		a2: float32(bend),
	}
}

// of is the level of a log-probability between Floor and 0.
func (g *grid) of(l float32) uint32 {
	c := &g.cells[max(int((l-g.knee)*cellsPerNat+1), 0)]
	return uint32(int32(c.a0 + l*(c.a1+l*c.a2)))
}

// grids keeps the grids of one spacing. Rounding k up leaves fewer than a hundred.
type grids struct {
	sp    spacing
	byLen map[int]*grid
}

// reset empties the collection unless it is of that spacing already.
func (g *grids) reset(sp spacing) {
	if g.byLen == nil || g.sp != sp {
		*g = grids{sp, make(map[int]*grid)}
	}
}

func (g *grids) get(k int) *grid {
	b := bucket(k)
	if g.byLen[b] == nil {
		g.byLen[b] = newGrid(g.sp, b)
	}
	return g.byLen[b]
}
