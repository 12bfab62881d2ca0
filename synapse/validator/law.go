package validator

import "math"

// The scaling law of Kaplan et al., "Scaling laws for neural language models"
// (arXiv:2001.08361), L(N) = (N_c/N)^α.
const (
	lawParams   = 8.8e13 // N_c
	lawExponent = 0.076  // α
	// EntropyOfText is the least loss that counts, in nats for each standard token:
	// Hoffmann et al., "Training compute-optimal large language models"
	// (arXiv:2203.15556). Servers below it look alike.
	EntropyOfText = 1.69
)

// EffectiveParams is how many parameters a model has that loses this much, in
// nats for each token: exp(ln 8.8e13 − ln(max(loss, 1.69))/0.076), at most 8.83e10. It is
// evaluated in float32, as the reference does; N falls by 13.2 % when the loss
// rises by 1 %. NaN gives NaN, +Inf gives 0.
func EffectiveParams(loss float64) float64 {
	l := max(float32(loss), EntropyOfText)
	power := ln(lawParams) - ln(l)/lawExponent
	return float64(float32(math.Exp(float64(power))))
}

func ln(x float32) float32 { return float32(math.Log(float64(x))) }

// Power is params^power in float32: with less than 1 it brings small and large
// models nearer.
func Power(params, power float64) float64 {
	return float64(float32(math.Pow(params, power)))
}
