package bench

import (
	"time"
)

// ValidateRow is what rounds of one test took: medians over the rounds, in seconds.
type ValidateRow struct {
	Build    string  `json:"build"`
	Time     string  `json:"test_time"`
	Task     string  `json:"task"`
	Rule     string  `json:"rule"`
	Packed   bool    `json:"packed"`
	TopK     int     `json:"top_k"`
	Texts    int     `json:"texts"`
	Length   int     `json:"length"` // tokens of a text that are sent
	Servers  int     `json:"servers"`
	Synergy  bool    `json:"synergy"`
	Pairs    int     `json:"pairs"` // that were compared
	Slowness float64 `json:"slowness"`
	Silent   float64 `json:"silent"`
	Timeout  float64 `json:"timeout_s"`
	Rounds   int     `json:"rounds"`

	Step       float64 `json:"step_s"`
	MaxStep    float64 `json:"max_step_s"`
	Waiting    float64 `json:"waiting_s"` // for replies: on their way, or being decoded
	Measuring  float64 `json:"measuring_s"`
	Comparing  float64 `json:"comparing_s"`
	Committing float64 `json:"committing_s"`
	CPU        float64 `json:"cpu_s"` // of all cores
	AskingCPU  float64 `json:"asking_cpu_s"`
	ServerCPU  float64 `json:"cpu_ms_per_server"`
	Making     float64 `json:"making_s"` // the simulation's work, in none of the above

	Bytes        float64 `json:"bytes"` // of all replies
	Answered     float64 `json:"answered"`
	Timeouts     float64 `json:"timeouts"`
	PeakHeap     uint64  `json:"peak_heap_bytes"`
	SteadyHeap   uint64  `json:"steady_heap_bytes"`
	PeakResident uint64  `json:"peak_resident_bytes"`
}

func (t ValidateTest) row(begun time.Time, steps []step, pairs int) ValidateRow {
	o, median := t.Rounds, func(of func(step) float64) float64 { return medianOf(steps, of) }
	seconds := func(of func(step) time.Duration) float64 {
		return median(func(s step) float64 { return of(s).Seconds() })
	}
	r := ValidateRow{
		Time: begun.UTC().Format(time.RFC3339), Task: o.Task.String(), Rule: ruleName(o.Rules.Proper), Packed: o.Packed,
		TopK: o.TopK, Texts: o.Texts, Length: o.Context - o.Prune, Servers: t.Network.Servers, Synergy: o.Rules.Synergy, Pairs: pairs,
		Slowness: t.Slowness, Silent: t.Network.Silent, Timeout: t.Network.Timeout.Seconds(), Rounds: len(steps),
		Step:       seconds(func(s step) time.Duration { return s.whole }),
		Waiting:    seconds(func(s step) time.Duration { return s.asking - s.measuring }),
		Measuring:  seconds(func(s step) time.Duration { return s.measuring }),
		Comparing:  seconds(func(s step) time.Duration { return s.comparing }),
		Committing: seconds(func(s step) time.Duration { return s.committing }),
		CPU:        seconds(func(s step) time.Duration { return s.cpu }),
		AskingCPU:  seconds(func(s step) time.Duration { return s.askingCPU }),
		Making:     seconds(func(s step) time.Duration { return s.making }),
		Bytes:      median(func(s step) float64 { return float64(s.bytes) }),
		Answered:   median(func(s step) float64 { return float64(s.answered) }),
		Timeouts:   median(func(s step) float64 { return float64(s.timeouts) }),
	}
	r.ServerCPU = 1000 * r.CPU / float64(r.Servers)
	for _, s := range steps {
		r.MaxStep = max(r.MaxStep, s.whole.Seconds())
		r.PeakHeap, r.PeakResident = max(r.PeakHeap, s.peakHeap), max(r.PeakResident, s.peakResident)
		r.SteadyHeap = max(r.SteadyHeap, s.steadyHeap)
	}
	return r
}

func medianOf(steps []step, of func(step) float64) float64 {
	values := make([]float64, len(steps))
	for i, s := range steps {
		values[i] = of(s)
	}
	return Median(values)
}

func ruleName(proper bool) string {
	if proper {
		return "proper"
	}
	return "reference"
}
