package hostile

import (
	"slices"

	"axon/synapse"
	"axon/synapse/server"
	"axon/synapse/validator"
)

// The names of the attacks that others need to speak of.
const (
	Honest     = "honest"
	Silent     = "silent"
	Unsure     = "silent-where-unsure"
	Anew       = "starts-anew"
	Translated = "standard-tokens"
	Truncated  = "truncated"
	Decoyed    = "truncated-with-decoy"
	ThinFloor  = "thin-floor"
	Peeks      = "peeks"
	Copies     = "copies"
	Mixes      = "mixes"
	Remembers  = "remembers"
	ByHeart    = "knows-the-text"
	Dosed      = "knows-and-doses"
)

// All are the attacks, the honest control first.
func All() []Attack {
	return slices.Concat(absent(), reshaped(), probabilities(), broken(), informed())
}

var (
	onlyNext     = []validator.Task{validator.Next}
	onlyCausalLM = []validator.Task{validator.CausalLM}
)

// absent attackers do not answer, or take their time.
func absent() []Attack {
	return []Attack{
		{Name: Honest, About: "answers what its model says: the control"},
		{Name: Silent, About: "never answers", wrap: func(server.Model, Means) server.Model { return mute{} }},
		{Name: Unsure, About: "answers when its own entropy is below the median of its past", lie: func(Means) Lie { return newShy().lie }},
		{Name: Anew, About: "answers honestly, and takes a new hotkey for each round", Anew: true},
		{Name: "slow", About: "answers late, but within the time-out", wrap: func(m server.Model, w Means) server.Model { return slow{m, w.Delay} }},
		{Name: "too-slow", About: "answers after the time-out", Late: true, wrap: func(m server.Model, _ Means) server.Model { return late{m} }},
	}
}

// reshaped attackers say the same in other phrases.
func reshaped() []Attack {
	return []Attack{
		{Name: Translated, About: "answers in standard tokens, into which it translates what it expects, instead of its own", Tasks: onlyNext, wrap: func(m server.Model, _ Means) server.Model { return translated{m} }},
		{Name: Truncated, About: "cuts each phrase after its first token", Tasks: onlyNext, wrap: phrasesBy(truncate)},
		{Name: "aggregated", About: "adds up phrases that begin alike, and names the first token", Tasks: onlyNext, wrap: phrasesBy(aggregate)},
		{Name: Decoyed, About: "cuts each phrase after its first token, but for a long one of probability 0", Tasks: onlyNext, wrap: phrasesBy(truncateBehindDecoy)},
		{Name: "decoy", About: "names one long phrase of probability 0 in place of the least likely", Tasks: onlyNext, wrap: phrasesBy(decoy)},
		{Name: ThinFloor, About: "divides what is left by 50257 tokens instead of its own 4096", Tasks: onlyNext, wrap: phrasesBy(thinFloor)},
	}
}

// probabilities are said to be others than they are.
func probabilities() []Attack {
	return []Attack{
		{Name: "sharpened", About: "temperature 0.7", wrap: tempered(1 / 0.7)},
		{Name: "sharpened-a-little", About: "temperature 0.9", wrap: tempered(1 / 0.9)},
		{Name: "flattened", About: "temperature 1.4", wrap: tempered(1 / 1.4)},
		{Name: "inflated", About: "says eightfold probabilities, of what is left as well", wrap: both(inflatePhrases, inflateRow)},
		{Name: "leaves-nothing", About: "scales what it names to a sum of 1, and has a floor of 0", wrap: both(fillPhrases, fillRow)},
		{Name: "certain", About: "gives the likeliest token 1, and all others 0", wrap: both(certainPhrases, certainRow)},
		{Name: "uniform", About: "gives all tokens the same", wrap: both(uniformPhrases, uniformRow)},
		{Name: "zeros", About: "gives all tokens 0", wrap: both(zeroPhrases, zeroRow)},
	}
}

// broken attackers send what is no answer.
func broken() []Attack {
	return []Attack{
		{Name: "sum-above-one", About: "sends probabilities that sum up to 1.05", lie: number(overfull)},
		{Name: "negative", About: "sends a negative probability", lie: number(negative)},
		{Name: "not-numbers", About: "sends NaN for probabilities", lie: number(notNumbers)},
		{Name: "too-many", About: "names one more entry than was asked for", lie: always(tooMany)},
		{Name: "other-shape", About: "sends a tensor of another shape", lie: always(otherShape)},
		{Name: "garbage", About: "sends bytes that are no tensor", lie: always(garbage)},
	}
}

// informed attackers know more than their model.
func informed() []Attack {
	return []Attack{
		{Name: Peeks, About: "looks up in the question what comes next in the text", Tasks: onlyCausalLM, wrap: func(m server.Model, _ Means) server.Model {
			return altered{Model: m, row: peek}
		}},
		{Name: Copies, About: "passes on what a better neighbour answers", Knows: Neighbour, wrap: copies(1)},
		{Name: Mixes, About: "passes on the mean of what two neighbours answer", Knows: Several, wrap: copies(2)},
		{Name: Remembers, About: "keeps all it was asked, and what followed there follows again", Repeats: true, wrap: remembers},
		{Name: ByHeart, About: "has the text, and looks up what follows", Knows: Text, wrap: knows(sure)},
		{Name: Dosed, About: "has the text, and says so much of it that its loss stays above 1.69", Knows: Text, wrap: knows(dosed)},
	}
}

func always(f func(*synapse.Item)) func(Means) Lie { return func(Means) Lie { return f } }
