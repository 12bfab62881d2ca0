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
	// level = origin + min(l, knee)/2·perHalf + exp(max(l, knee)/2)·perRoot, rounded down.
	halfKnee, rootKnee, origin, perHalf, perRoot float32
}

// level is what a level decodes to.
type level struct {
	log  float32 // nats
	mass float32 // exp(log)
}

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
	g := &grid{levels: make([]level, f.top+1)}
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
	g.halfKnee, g.rootKnee = float32(f.l0/2), float32(f.s0)
	g.perHalf, g.perRoot = float32(2/f.d), float32(2/f.c)
	g.origin = float32(float64(f.base) + 0.5 - f.l0/f.d - f.s0*2/f.c)
	return g
}

// narrow says whether all levels are below 1<<15.
func (g *grid) narrow() bool { return len(g.levels) <= 1<<15 }

// quantise sets levels of log-probabilities between Floor and 0, given half of them, and
// exp of that. It gives the mass and the lowest level.
func quantise[T uint16 | uint32](g *grid, levels []T, halves, roots []float32) (mass float64, lowest uint32) {
	perHalf, perRoot, origin := g.perHalf, g.perRoot, g.origin
	// The bits of floats of one sign have the order of their sizes.
	knee, root := math.Float32bits(g.halfKnee), math.Float32bits(g.rootKnee)
	low := int32(math.MaxInt32)
	halves, roots = halves[:len(levels)], roots[:len(levels)]
	for i := range levels {
		s := roots[i]
		mass += float64(s * s)
		below := math.Float32frombits(max(math.Float32bits(halves[i]), knee))
		above := math.Float32frombits(max(math.Float32bits(s), root))
		v := int32(origin + below*perHalf + above*perRoot)
		low = min(low, v)
		levels[i] = T(v)
	}
	return mass, uint32(low)
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
