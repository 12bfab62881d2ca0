package report

import "time"

// Data is what a report shows. Empty parts are left out, and the report says why.
type Data struct {
	Title string // "What the validator found" where it is empty
	Made  time.Time
	// Facts say what was measured and how: the task, texts, steps, the seed.
	Facts []Fact
	// Servers, in any order; they are shown in ascending order of their loss.
	Servers []Server
	Law     *Law    // nil: too few sizes are known to fit one
	Synergy *Matrix // nil: not measured
	// Different compares neighbours in the order of servers.
	Different []Pair
}

// Fact is a setting or a count, in words.
type Fact struct{ Name, Value string }

// Server is what is known of one server. NaN stands for what is not known.
type Server struct {
	UID          int
	Name, Hotkey string  // what people know it by, such as its address, and what the network does
	Size         float64 // parameters
	// Loss is the mean cross-entropy in nats a token, and Error its standard error.
	Loss, Error float64
	// Params are effective parameters, those of a model that loses as much, with the
	// ends of their 95 % interval.
	Params, ParamsLow, ParamsHigh float64
	BitsPerByte                   float64
	Score, Weight                 float64
	Emitted                       int     // the weight as a chain takes it, of 65535
	ResponseTime                  float64 // seconds
	Divergence, DivergenceError   float64
	Asked, Answered               int
	Codes                         []Count // how often each return code came
	Rounds                        []Point // in ascending order of steps
}

// Count is how often something happened.
type Count struct {
	Name string
	N    int
}

// Point is one round of a server. NaN stands for what is not known.
type Point struct {
	Step         int
	Loss         float64 // of this round; NaN where the server was silent
	Mean, Error  float64 // of all rounds so far, with its standard error
	Divergence   float64
	ResponseTime float64 // seconds
}

// Law is a fitted scaling law, loss = (Nc/size)^Alpha.
type Law struct {
	Nc, Alpha           float64
	AlphaLow, AlphaHigh float64 // 95 %; NaN: not known
	Servers             int     // how many sizes it was fitted to
	// Band returns the ends of the law's 95 % interval at a size; nil: not known.
	Band func(size float64) (low, high float64)
}

// Matrix holds what pairs of servers gain. Values[i][j] belongs to UIDs[i] and UIDs[j]:
// by how many nats a token the mean of both loses less than the better one. NaN stands for
// what was not measured; only i < j is looked at.
type Matrix struct {
	UIDs   []int
	Values [][]float64
}

// Pair compares two servers by the same texts.
type Pair struct {
	Better, Worse int // uids
	// Difference is by how much Worse loses more, the mean over texts in nats a token,
	// and Error its standard error.
	Difference, Error float64
	Significant       bool    // at Confidence
	Confidence        float64 // 0 to 1
	Rounds            int     // in which both were asked
}
