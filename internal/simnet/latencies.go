package simnet

import (
	_ "embed" // of latencies.csv
	"strconv"
	"strings"
	"time"
)

// latencies.csv has milliseconds, one a line: how long real servers took to answer
// TextCausalLMNext about 8 texts of 64 tokens, from being asked to the answer having been
// decoded. The servers were the four of the built-in family, of 70 thousand to 3 million
// parameters, on loopback on a machine of two cores which other programs used as well, and
// were asked four at a time: there is a core to half a server, and that makes a tail.
// TestRecordLatencies records them anew.
//
//go:embed latencies.csv
var recorded string

// Latencies are the recorded ones, each so many times as long. They do not know the way
// through a network: a factor stands for that, and for slower servers.
func Latencies(factor float64) []time.Duration {
	var list []time.Duration
	for line := range strings.Lines(recorded) {
		if ms, err := strconv.ParseFloat(strings.TrimSpace(line), 64); err == nil {
			list = append(list, time.Duration(ms*factor*float64(time.Millisecond)))
		}
	}
	return list
}
