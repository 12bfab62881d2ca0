package hostile

import (
	"math"
	"slices"

	"axon/kernels"
	"axon/synapse"
	"axon/synapse/server"
)

// inflation is by what factor inflated probabilities are too large.
const inflation = 8

// none is the logarithm of no probability.
var none = float32(math.Inf(-1))

// tempered raises all probabilities to a power, and makes a distribution of them.
func tempered(power float64) func(server.Model, Means) server.Model {
	return both(
		func(p synapse.Phrases) synapse.Phrases { return temperPhrases(p, power) },
		func(top kernels.Sparse) kernels.Sparse { return temperRow(top, power) })
}

func temperPhrases(p synapse.Phrases, power float64) synapse.Phrases {
	raise := func(v float32) float64 { return math.Pow(float64(v), power) }
	sum := float64(max(0, ownTokens-len(p.List))) * raise(p.Floor)
	for _, phrase := range p.List {
		sum += raise(phrase.Prob)
	}
	p.Floor = float32(raise(p.Floor) / sum)
	for i := range p.List {
		p.List[i].Prob = float32(raise(p.List[i].Prob) / sum)
	}
	return within(p)
}

// temperRow takes what is not named for so many tokens of equal probability.
func temperRow(top kernels.Sparse, power float64) kernels.Sparse {
	others := math.Log(float64(max(1, synapse.StandardVocabulary-len(top.Entries))))
	rest := others + power*(float64(top.Rest)-others)
	sum := math.Exp(rest)
	for _, e := range top.Entries {
		sum += math.Exp(power * float64(e.Value))
	}
	total := math.Log(sum)
	top.Rest = float32(rest - total)
	for i := range top.Entries {
		top.Entries[i].Value = float32(power*float64(top.Entries[i].Value) - total)
	}
	return top
}

func inflatePhrases(p synapse.Phrases) synapse.Phrases {
	for i := range p.List {
		p.List[i].Prob = min(1, p.List[i].Prob*inflation)
	}
	p.Floor = min(1, p.Floor*inflation)
	return p
}

func inflateRow(top kernels.Sparse) kernels.Sparse {
	for i := range top.Entries {
		top.Entries[i].Value = min(0, top.Entries[i].Value+float32(math.Log(inflation)))
	}
	return top
}

func fillPhrases(p synapse.Phrases) synapse.Phrases {
	sum := 0.0
	for _, phrase := range p.List {
		sum += float64(phrase.Prob)
	}
	for i := range p.List {
		p.List[i].Prob = float32(float64(p.List[i].Prob) / sum)
	}
	p.Floor = 0
	return within(p)
}

func fillRow(top kernels.Sparse) kernels.Sparse {
	sum := 0.0
	for _, e := range top.Entries {
		sum += math.Exp(float64(e.Value))
	}
	for i := range top.Entries {
		top.Entries[i].Value -= float32(math.Log(sum))
	}
	top.Rest = none
	return top
}

func certainPhrases(p synapse.Phrases) synapse.Phrases {
	p = zeroPhrases(p)
	if len(p.List) > 0 {
		p.List[0].Prob = 1
	}
	return p
}

func certainRow(top kernels.Sparse) kernels.Sparse {
	best := 0
	for i, e := range top.Entries {
		if e.Value > top.Entries[best].Value {
			best = i
		}
	}
	top = zeroRow(top)
	if len(top.Entries) > 0 {
		top.Entries[best].Value = 0
	}
	return top
}

func uniformPhrases(p synapse.Phrases) synapse.Phrases {
	const each = 1.0 / synapse.StandardVocabulary
	for i := range p.List {
		p.List[i].Prob = each
	}
	p.Floor = each
	return p
}

func uniformRow(top kernels.Sparse) kernels.Sparse {
	for i := range top.Entries {
		top.Entries[i].Value = float32(-math.Log(synapse.StandardVocabulary))
	}
	top.Rest = float32(math.Log1p(-float64(len(top.Entries)) / synapse.StandardVocabulary))
	return top
}

func zeroPhrases(p synapse.Phrases) synapse.Phrases {
	for i := range p.List {
		p.List[i].Prob = 0
	}
	p.Floor = 0
	return p
}

func zeroRow(top kernels.Sparse) kernels.Sparse {
	for i := range top.Entries {
		top.Entries[i].Value = none
	}
	top.Rest = none
	return top
}

// peek gives the token that comes next in the text all there is. What follows the text it
// has to predict like others.
func peek(text []int32, pos int, top kernels.Sparse) kernels.Sparse {
	if pos+1 >= len(text) || len(top.Entries) == 0 {
		return top
	}
	return sureRow(zeroRow(top), text[pos+1], 1)
}

// sureRow gives a token a probability, and all others what that leaves, as they had it.
func sureRow(top kernels.Sparse, token int32, prob float64) kernels.Sparse {
	at := len(top.Entries) - 1 // the least likely makes room where the token is not named
	for i, e := range top.Entries {
		if e.Index == token {
			at = i
		}
	}
	left := math.Log1p(-prob)
	if before := math.Exp(float64(top.Entries[at].Value)); top.Entries[at].Index == token && before < 1 {
		left -= math.Log1p(-before)
	}
	for i := range top.Entries {
		top.Entries[i].Value += float32(left)
	}
	top.Rest += float32(left)
	top.Entries[at] = kernels.Entry{Index: token, Value: float32(math.Log(prob))}
	return top
}

// surePhrases do the same of what follows the text: a phrase of one token in the first place
// has the probability, and the others what that leaves. The least likely makes room, and what
// begins alike has nothing.
func surePhrases(p synapse.Phrases, token int32, prob float64) synapse.Phrases {
	n := len(p.List)
	if n == 0 {
		return p
	}
	sure := synapse.Phrase{Prob: float32(prob), Tokens: []int32{token}}
	p.List = slices.Insert(p.List[:n-1], 0, sure)
	for i := range p.List[1:] {
		phrase := &p.List[1+i]
		phrase.Prob *= float32(1 - prob)
		if len(phrase.Tokens) > 0 && phrase.Tokens[0] == token {
			phrase.Prob = 0
		}
	}
	p.Floor *= float32(1 - prob)
	return within(p)
}
