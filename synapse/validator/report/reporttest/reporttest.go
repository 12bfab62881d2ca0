// Package reporttest makes reports to try with: of any number of servers, with names that
// nobody would choose among theirs. The figures are made up.
package reporttest

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"axon/synapse/validator/report"
)

// Hostile are names that mean harm to a page, a picture or a spreadsheet.
var Hostile = []string{
	"<script>alert(1)</script>", `=HYPERLINK("http://127.0.0.1:1/")`, "\u202egnihton", "]]></svg><img src=x onerror=alert(2)>",
}

// Sample is a report of so many servers, the same one at each call. The second server and
// every eighth from there on have a hostile name.
func Sample(servers, steps int) *report.Data {
	r := rand.New(rand.NewPCG(1, 2))
	d := &report.Data{
		Title: "Validation of a network of models", Made: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Facts: []report.Fact{
			{Name: "task", Value: "TextCausalLMNext"}, {Name: "texts", Value: "heldout.txt"},
			{Name: "steps", Value: fmt.Sprint(steps)}, {Name: "seed", Value: "7"},
		},
		Law: &report.Law{Nc: 6.1e13, Alpha: 0.0751, AlphaLow: 0.071, AlphaHigh: 0.079, Servers: servers,
			Band: func(size float64) (low, high float64) {
				mid := math.Pow(6.1e13/size, 0.0751)
				off := 0.03 + 0.02*math.Abs(math.Log10(size/2e8))
				return mid - off, mid + off
			}},
	}
	for i := range servers {
		d.Servers = append(d.Servers, server(r, i, servers, steps))
	}
	slices.SortFunc(d.Servers, func(a, b report.Server) int { return cmp.Compare(a.Loss, b.Loss) })
	for i := range servers - 1 {
		better, worse := d.Servers[i], d.Servers[i+1]
		d.Different = append(d.Different, report.Pair{Better: better.UID, Worse: worse.UID, Difference: worse.Loss - better.Loss,
			Error: 0.004, Significant: worse.Loss-better.Loss > 0.012, Confidence: 0.95, Rounds: steps})
	}
	d.Synergy = matrix(r, servers)
	return d
}

func server(r *rand.Rand, uid, servers, steps int) report.Server {
	size := math.Pow(10, 10.2-3.4*float64(uid)/float64(max(1, servers-1)))
	loss := math.Pow(6.1e13/size, 0.0751) + 0.02*r.Float64()
	params := math.Exp(math.Log(8.8e13) - math.Log(loss)/0.076)
	s := report.Server{
		UID: uid, Name: fmt.Sprintf("model-%d", uid), Hotkey: fmt.Sprintf("127.0.0.1:%d", 8091+uid),
		Size: size, Loss: loss, Error: 0.006 + 0.004*r.Float64(), Params: params, ParamsLow: params * 0.9, ParamsHigh: params * 1.1,
		BitsPerByte: loss / 2.9, Score: math.Sqrt(params), Weight: 1 / float64(servers), Emitted: 65535 / servers,
		ResponseTime: 0.2 + r.Float64(), Divergence: 0.1 + 0.3*r.Float64(), DivergenceError: 0.01,
		Asked: steps, Answered: steps - uid%3, Codes: []report.Count{{Name: "SUCCESS", N: steps - uid%3}, {Name: "TIMEOUT", N: uid % 3}},
	}
	if uid%8 == 1 {
		s.Name = Hostile[uid/8%len(Hostile)]
	}
	sum := 0.0
	for step := range steps {
		v := loss + 0.15*r.NormFloat64()
		sum += v
		n := float64(step + 1)
		s.Rounds = append(s.Rounds, report.Point{Step: step + 1, Loss: v, Mean: sum / n, Error: 0.15 / math.Sqrt(n),
			Divergence: s.Divergence, ResponseTime: s.ResponseTime})
	}
	return s
}

func matrix(r *rand.Rand, servers int) *report.Matrix {
	m := &report.Matrix{}
	for i := range servers {
		m.UIDs = append(m.UIDs, i)
		row := make([]float64, servers)
		for j := range row {
			row[j] = 0.05*r.Float64() - 0.015*float64(j-i)/float64(servers)*4
		}
		m.Values = append(m.Values, row)
	}
	return m
}
