package pack

import "math"

// The rest's code is 1/restScale of its logit, so that both a small rest and a
// small remainder are kept to 1/1024 of themselves.
const (
	restScale = 512
	restZero  = 0         // nothing remains
	restAll   = 1<<16 - 1 // everything does: the entries' mass is below e^-63.99
	restMid   = 1 << 15   // the code of a half
)

// restCode is the code of a rest of exp(l), which may lie above 1 by rounding.
// A rest below e^-63.99 and above 0 gets the least code but zero.
func restCode(l float64) uint16 {
	switch {
	case math.IsInf(l, -1):
		return restZero
	case l >= 0:
		return restAll
	}
	logit := l - math.Log(-math.Expm1(l))
	return uint16(min(max(math.Round(logit*restScale)+restMid, restZero+1), restAll))
}

// restOf gives the logs of the rest and of what the entries share, for a code.
func restOf(code uint16) (rest, entries float64) {
	switch code {
	case restZero:
		return math.Inf(-1), 0
	case restAll:
		return 0, math.Inf(-1)
	}
	x := (float64(code) - restMid) / restScale
	if x > 0 {
		low := math.Log1p(math.Exp(-x))
		return -low, -x - low
	}
	low := math.Log1p(math.Exp(x))
	return x - low, -low
}
