package validator

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// WeightRules say who gets a weight, and how much at most. On a chain they are
// the network's.
type WeightRules struct {
	Least    int     // so many servers keep a weight, if so many have one; 0 is none
	Most     float64 // the largest weight, 0 to 1; 0 means 1
	Quantile float64 // the share of servers, 0 to 1, that are left out from below; 0 is none
}

// Validate lists all faults: ErrRules.
func (w WeightRules) Validate() error {
	var faults []error
	if w.Least < 0 {
		faults = append(faults, fmt.Errorf("%w: at least %d weights", ErrRules, w.Least))
	}
	if !(w.Most >= 0 && w.Most <= 1) {
		faults = append(faults, fmt.Errorf("%w: a largest weight of %v", ErrRules, w.Most))
	}
	if !(w.Quantile >= 0 && w.Quantile <= 1) {
		faults = append(faults, fmt.Errorf("%w: a quantile of %v left out", ErrRules, w.Quantile))
	}
	return errors.Join(faults...)
}

// Weight is a server's share.
type Weight struct {
	UID   int
	Value float32
}

// Weights makes weights of values by uid, those of [Averages.Weights]: finite
// values above 0 that are not below the quantile, normalised by
// [NormaliseMax], by ascending uid. The quantile is reduced so that Least servers
// stay; values that equal it stay as well. The error is ErrRules.
func (w WeightRules) Weights(values map[int]float64) ([]Weight, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	var list []Weight
	for uid, v := range values {
		if v := float32(v); v > 0 && v <= math.MaxFloat32 {
			list = append(list, Weight{uid, v})
		}
	}
	slices.SortFunc(list, func(a, b Weight) int { return cmp.Compare(a.UID, b.UID) })
	list = w.exclude(list)
	for i, v := range NormaliseMax(valuesOf(list), cmp.Or(w.Most, 1)) {
		list[i].Value = v
	}
	return list, nil
}

func valuesOf(list []Weight) []float32 {
	values := make([]float32, len(list))
	for i, weight := range list {
		values[i] = weight.Value
	}
	return values
}

func (w WeightRules) exclude(list []Weight) []Weight {
	n := len(list)
	if n <= w.Least {
		return list
	}
	lowest := quantile(valuesOf(list), min(w.Quantile, float64(n-w.Least)/float64(n)))
	return slices.DeleteFunc(list, func(weight Weight) bool { return weight.Value < lowest })
}

// quantile interpolates between the two values that are nearest, in float32 as
// the reference's library does: a value may lie exactly at the quantile. It sorts
// the values.
func quantile(values []float32, q float64) float32 {
	slices.Sort(values)
	rank := float32(q) * float32(len(values)-1)
	below := int(rank)
	lower, upper := values[below], values[min(below+1, len(values)-1)]
	part := rank - float32(below)
	if part < 0.5 {
		return lower + float32(part*(upper-lower))
	}
	return upper - float32((upper-lower)*(1-part))
}

// normaliseSlack keeps the cut of [NormaliseMax] from dividing by 0.
const normaliseSlack = 1e-7

// NormaliseMax scales values so that they sum up to 1 and none exceeds the limit:
// those that would are cut to the same size. Where that cannot be, because all are
// 0 or there are no more than 1/limit, all become equal. (normalize_max_weight
// of release 3.7.0, in float32. Its search for the cut adds 1e-7 to divisors: where
// some values hold all but a millionth, they end a few per cent below the limit.)
func NormaliseMax(x []float32, limit float64) []float32 {
	n := len(x)
	out := slices.Clone(x)
	sum := sumOf(x)
	if sum == 0 || float64(n)*limit <= 1 {
		for i := range out {
			out[i] = 1 / float32(n)
		}
		return out
	}
	if slices.Max(x)/sum > float32(limit) {
		cut := cutAt(x, sum, float32(limit))
		for i, v := range out {
			out[i] = min(v, cut)
		}
		sum = sumOf(out)
	}
	for i := range out {
		out[i] /= sum
	}
	return out
}

// cutAt is the value at which larger ones are cut: of the shares in ascending
// order, the first that stay below the limit when all above are cut to them stay,
// and the others get what the limit leaves.
func cutAt(x []float32, sum, limit float32) float32 {
	shares := slices.Clone(x)
	slices.Sort(shares)
	n := len(shares)
	masses := make([]float32, n) // of a share and those before it
	stay, running := 0, 0.0
	for i, v := range shares {
		v /= sum
		running += float64(v)
		masses[i] = float32(running)
		if v/(float32(float32(n-i-1)*v)+masses[i]+normaliseSlack) < limit { // float32: the same on all processors
			stay++
		}
	}
	if stay == 0 { // not with values that a score can have
		return sum
	}
	return (float32(limit*masses[stay-1]) - normaliseSlack) / (1 - float32(limit*float32(n-stay))) * sum
}

func sumOf(x []float32) float32 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return float32(sum)
}

// Emitted is a weight as a chain takes it.
type Emitted struct {
	UID   int
	Value uint16 // share of 65535
}

// Emit brings weights to 16 bits: each is divided by the sum of all, taken times
// 65535 and cut off. Those that become 0 are left out. The error is ErrWeight.
func Emit(weights []Weight) ([]Emitted, error) {
	sum := 0.0
	for _, w := range weights {
		if !(w.Value >= 0 && w.Value <= math.MaxFloat32) || w.UID < 0 {
			return nil, fmt.Errorf("%w: %v for server %d", ErrWeight, w.Value, w.UID)
		}
		sum += float64(w.Value)
	}
	var list []Emitted
	for _, w := range weights {
		if v := uint16(float64(w.Value) / max(sum, math.SmallestNonzeroFloat64) * math.MaxUint16); v > 0 {
			list = append(list, Emitted{w.UID, v})
		}
	}
	return list, nil
}
