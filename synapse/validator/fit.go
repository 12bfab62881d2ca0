package validator

import (
	"fmt"
	"math"
)

// Sized is a server whose number of parameters is known.
type Sized struct {
	Params float64
	Loss   float64 // nats
	Error  float64 // its standard error; 0 or NaN: as that of the others, or of none
}

// Law is a scaling law L(N) = (N_c/N)^α that was fitted to servers.
type Law struct {
	LogNc   float64 // ln N_c
	Alpha   float64
	Servers int // that it was fitted to

	// The line's middle, where its two parameters do not depend on each other, and how
	// sure both are.
	middle, logLoss      float64 // ln N, ln L
	varAlpha, varLogLoss float64
}

// FitLaw fits a law to servers of at least three sizes, by least squares of ln L over ln N,
// each weighted by how sure its loss is (the error of ln L is error/L). Where servers
// scatter more than their errors say, the law's intervals grow by as much. ErrRules is
// returned for fewer sizes, and for numbers that are not above 0.
func FitLaw(servers []Sized) (*Law, error) {
	points, sure, err := newPoints(servers)
	if err != nil {
		return nil, err
	}
	l := &Law{Servers: len(points)}
	total := 0.0
	for _, p := range points {
		total += p.weight
		l.middle += p.weight * p.x
		l.logLoss += p.weight * p.y
	}
	l.middle /= total
	l.logLoss /= total
	sxx, sxy := 0.0, 0.0
	for _, p := range points {
		sxx += p.weight * (p.x - l.middle) * (p.x - l.middle)
		sxy += p.weight * (p.x - l.middle) * (p.y - l.logLoss)
	}
	l.Alpha = -sxy / sxx
	l.LogNc = l.middle + l.logLoss/l.Alpha
	scatter := 0.0
	for _, p := range points {
		residual := p.y - math.Log(l.Loss(math.Exp(p.x)))
		scatter += p.weight * residual * residual
	}
	scale := scatter / float64(len(points)-2)
	if sure {
		scale = max(1, scale)
	}
	l.varAlpha, l.varLogLoss = scale/sxx, scale/total
	return l, nil
}

// point is a server in logarithms.
type point struct{ x, y, weight float64 }

// leastSizes are as many as leave a line of two parameters something to be tested by.
const leastSizes = 3

// newPoints also says whether errors are known of any.
func newPoints(servers []Sized) (points []point, sure bool, err error) {
	sizes := map[float64]bool{}
	sum, n := 0.0, 0.0
	for _, s := range servers {
		if !(s.Params > 0 && s.Loss > 0 && s.Params <= math.MaxFloat64 && s.Loss <= math.MaxFloat64) {
			return nil, false, fmt.Errorf("%w: no law for a loss of %v with %v parameters", ErrRules, s.Loss, s.Params)
		}
		sizes[s.Params] = true
		if s.Error > 0 {
			sum += s.Error / s.Loss
			n++
		}
	}
	if len(sizes) < leastSizes {
		return nil, false, fmt.Errorf("%w: a law is fitted to %d sizes at least, there are %d", ErrRules, leastSizes, len(sizes))
	}
	usual := 1.0
	if n > 0 {
		usual = sum / n
	}
	points = make([]point, len(servers))
	for i, s := range servers {
		relative := usual
		if s.Error > 0 {
			relative = s.Error / s.Loss
		}
		points[i] = point{math.Log(s.Params), math.Log(s.Loss), 1 / (relative * relative)}
	}
	return points, n > 0, nil
}

// Loss is what a model of that size loses by the law, nats.
func (l *Law) Loss(params float64) float64 {
	return math.Exp(l.logLoss - l.Alpha*(math.Log(params)-l.middle))
}

// Band are the ends of the 95 % interval of [Law.Loss].
func (l *Law) Band(params float64) (low, high float64) {
	distance := math.Log(params) - l.middle
	half := sigmas95 * math.Sqrt(l.varLogLoss+distance*distance*l.varAlpha)
	loss := l.Loss(params)
	return loss * math.Exp(-half), loss * math.Exp(half)
}

// AlphaInterval are the ends of the 95 % interval of α.
func (l *Law) AlphaInterval() (low, high float64) {
	half := sigmas95 * math.Sqrt(l.varAlpha)
	return l.Alpha - half, l.Alpha + half
}
