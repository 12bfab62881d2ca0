package validator

import (
	"fmt"
	"math"
)

// Sized is a server whose number of parameters is known.
type Sized struct {
	Params float64
	Loss   float64 // nats
}

// Law is a scaling law L(N) = (N_c/N)^α that was fitted to servers.
type Law struct {
	LogNc   float64 // ln N_c
	Alpha   float64
	Servers int // that it was fitted to

	middle, logLoss float64 // of ln N, and ln L there
	x               []float64
	covariance      [][]float64 // of the servers' ln L
	scatter         float64     // variance of ln L around the line
	spread          float64     // Σ (x − middle)²
}

// FitLaw fits a law to servers of at least three sizes, by least squares of ln L over ln N.
// The covariance is that of the servers' losses, which are correlated, since all were asked
// about the same texts; nil: their losses are exact. Intervals come of it and of how far
// the servers lie off the line, by Student's t with n − 2 degrees of freedom: with three or
// four servers they are wide. ErrRules is returned for fewer sizes, and for numbers that
// are not above 0.
func FitLaw(servers []Sized, covariance [][]float64) (*Law, error) {
	if err := checkSized(servers); err != nil {
		return nil, err
	}
	n := float64(len(servers))
	l := &Law{Servers: len(servers), x: make([]float64, len(servers))}
	for i, s := range servers {
		l.x[i] = math.Log(s.Params)
		l.middle += l.x[i] / n
		l.logLoss += math.Log(s.Loss) / n
	}
	slope := 0.0
	for i, s := range servers {
		l.spread += (l.x[i] - l.middle) * (l.x[i] - l.middle)
		slope += (l.x[i] - l.middle) * (math.Log(s.Loss) - l.logLoss)
	}
	l.Alpha = -slope / l.spread
	l.LogNc = l.middle + l.logLoss/l.Alpha
	for _, s := range servers {
		residual := math.Log(s.Loss / l.Loss(s.Params))
		l.scatter += residual * residual / (n - 2)
	}
	l.covariance = logCovariance(servers, covariance)
	return l, nil
}

// leastSizes are as many as leave a line of two parameters something to be tested by.
const leastSizes = 3

func checkSized(servers []Sized) error {
	sizes := map[float64]bool{}
	for _, s := range servers {
		if !(s.Params > 0 && s.Loss > 0 && s.Params <= math.MaxFloat64 && s.Loss <= math.MaxFloat64) {
			return fmt.Errorf("%w: no law for a loss of %v with %v parameters", ErrRules, s.Loss, s.Params)
		}
		sizes[s.Params] = true
	}
	if len(sizes) < leastSizes {
		return fmt.Errorf("%w: a law is fitted to %d sizes at least, there are %d", ErrRules, leastSizes, len(sizes))
	}
	return nil
}

// logCovariance is that of logarithms, to first order.
func logCovariance(servers []Sized, covariance [][]float64) [][]float64 {
	logs := make([][]float64, len(covariance))
	for i, row := range covariance {
		logs[i] = make([]float64, len(row))
		for j, c := range row {
			logs[i][j] = c / servers[i].Loss / servers[j].Loss
		}
	}
	return logs
}

// Loss is what a model of that size loses by the law, nats.
func (l *Law) Loss(params float64) float64 {
	return math.Exp(l.logLoss - l.Alpha*(math.Log(params)-l.middle))
}

// Band are the ends of the 95 % interval of [Law.Loss].
func (l *Law) Band(params float64) (low, high float64) {
	half := l.half(1, math.Log(params)-l.middle)
	loss := l.Loss(params)
	return loss * math.Exp(-half), loss * math.Exp(half)
}

// AlphaInterval are the ends of the 95 % interval of α.
func (l *Law) AlphaInterval() (low, high float64) {
	half := l.half(0, 1)
	return l.Alpha - half, l.Alpha + half
}

// half is the half of the 95 % interval of level·(ln L at the middle) + distance·slope, both
// of which are sums over the servers' ln L.
func (l *Law) half(level, distance float64) float64 {
	n := float64(len(l.x))
	factors := make([]float64, len(l.x))
	variance := l.scatter * (level*level/n + distance*distance/l.spread)
	for i, x := range l.x {
		factors[i] = level/n + distance*(x-l.middle)/l.spread
	}
	for i, row := range l.covariance {
		for j, c := range row {
			variance += factors[i] * factors[j] * c
		}
	}
	return student95(len(l.x)-2) * math.Sqrt(max(0, variance))
}

// student95 is the half of an interval that holds a variable of Student's t distribution
// 95 % of the time, in the expansion of Cornish and Fisher (Abramowitz and Stegun 26.7.5)
// from four degrees of freedom on.
func student95(degrees int) float64 {
	switch degrees {
	case 1:
		return 12.7062
	case 2:
		return 4.3027
	case 3:
		return 3.1824
	}
	const (
		z  = sigmas95
		z3 = z * z * z
		z5 = z3 * z * z
		z7 = z5 * z * z
	)
	v := float64(degrees)
	return z + (z3+z)/(4*v) + (5*z5+16*z3+3*z)/(96*v*v) + (3*z7+19*z5+17*z3-15*z)/(384*v*v*v)
}

// Covariance is that of the mean losses of some servers, over the rounds in which all of
// them have one: nil with fewer than two such rounds.
func Covariance(uids []int, rounds func(yield func(Losses) bool)) [][]float64 {
	n := 0.0
	means := make([]float64, len(uids))
	products := make([][]float64, len(uids))
	for i := range products {
		products[i] = make([]float64, len(uids))
	}
	for round := range rounds {
		values, all := roundMeans(uids, round)
		if !all {
			continue
		}
		n++
		off := make([]float64, len(uids)) // from the means so far (Welford's method)
		for i, v := range values {
			off[i] = v - means[i]
			means[i] += off[i] / n
		}
		for i := range products {
			for j := range products {
				products[i][j] += off[i] * (values[j] - means[j])
			}
		}
	}
	if n < 2 {
		return nil
	}
	for i := range products {
		for j := range products {
			products[i][j] /= (n - 1) * n
		}
	}
	return products
}

func roundMeans(uids []int, round Losses) (values []float64, all bool) {
	for _, uid := range uids {
		if len(round[uid]) == 0 {
			return nil, false
		}
		values = append(values, mean(round[uid]))
	}
	return values, true
}
