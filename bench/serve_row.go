package bench

import (
	"slices"
	"time"

	"axon/engine"
)

// ServeRow is the result of one ServeTest for one kind of request. Speeds are of all
// clients together.
type ServeRow struct {
	Build         string `json:"build"`
	LlamaCpp      string `json:"llama_cpp"`
	Backends      string `json:"backends"`
	Time          string `json:"test_time"`
	ModelFilename string `json:"model_filename,omitempty"`
	ModelType     string `json:"model_type,omitempty"`
	ModelSize     uint64 `json:"model_size,omitempty"` // bytes
	Endpoint      string `json:"endpoint,omitempty"`   // of a server that is not ours
	Threads       int    `json:"n_threads"`
	UBatch        int    `json:"n_ubatch"`
	Flash         string `json:"flash_attn"`
	TypeK         string `json:"type_k"`
	TypeV         string `json:"type_v"`

	Synapse    string `json:"synapse"`
	Beside     string `json:"beside,omitempty"` // what others asked for meanwhile
	Serializer string `json:"serializer"`
	TopK       int    `json:"top_k"`
	Texts      int    `json:"texts"`
	Length     int    `json:"length"`
	Generate   int    `json:"generate,omitempty"`
	Clients    int    `json:"clients"`
	Requests   int    `json:"requests"` // in a round
	Rounds     int    `json:"rounds"`

	Latency          Latency      `json:"latency"` // of all rounds
	RequestsPerSec   Rate         `json:"requests_per_s"`
	TokensPerSec     Rate         `json:"tokens_per_s"`               // of the texts, or generated
	BytesPerPosition float64      `json:"bytes_per_position"`         // of the answer
	BatchMS          float64      `json:"batch_ms,omitempty"`         // a full physical batch alone, the median
	TokensPerBatch   float64      `json:"tokens_per_batch,omitempty"` // that the engine evaluated, of all who asked
	P99Batches       float64      `json:"p99_batches,omitempty"`      // P99 over BatchMS
	Engine           *ServeOwn    `json:"engine,omitempty"`
	Peer             *ServeTheirs `json:"peer,omitempty"`
}

// ServeOwn is the engine's own part of a row.
type ServeOwn struct {
	RequestsPerSec Rate    `json:"requests_per_s"`
	TokensPerSec   Rate    `json:"tokens_per_s"`
	Latency        Latency `json:"latency"`
	TokensPerBatch float64 `json:"tokens_per_batch"`
	Share          Ratio   `json:"share"` // of it that reaches the caller, round by round
}

// ServeTheirs is the peer's part of a row.
type ServeTheirs struct {
	Program          string  `json:"program"`
	TokensPerSec     Rate    `json:"tokens_per_s"` // positions whose probabilities arrived
	Latency          Latency `json:"latency"`
	BytesPerPosition float64 `json:"bytes_per_position"`
	Ratio            Ratio   `json:"ratio"` // ours over theirs, round by round
}

// Rate is a speed, round by round.
type Rate struct {
	Median  float64   `json:"median"`
	StdDev  float64   `json:"stddev"`
	Samples []float64 `json:"samples"`
}

func newRate(samples []float64) Rate { return Rate{Median(samples), StdDev(samples), samples} }

// summary is what rounds of one kind of request come to.
type summary struct {
	requests, tokens Rate
	latency          Latency
	bytes            float64 // per position
	perBatch         float64 // tokens that the engine evaluated
}

func summarise(loads []load) summary {
	var requests, tokens []float64
	var latencies []time.Duration
	var sum reply
	var evaluated, batches int64
	for _, l := range loads {
		requests = append(requests, l.perSecond(len(l.latencies)))
		tokens = append(tokens, l.perSecond(l.sum.tokens))
		latencies = append(latencies, l.latencies...)
		sum.positions += l.sum.positions
		sum.bytes += l.sum.bytes
		evaluated += l.evaluated
		batches += l.batches
	}
	return summary{
		requests: newRate(requests), tokens: newRate(tokens), latency: newLatency(latencies),
		bytes: float64(sum.bytes) / float64(max(1, sum.positions)), perBatch: float64(evaluated) / float64(max(1, batches)),
	}
}

// rows are the results: of the test's synapse, and of the short requests beside it.
func (r *serveRun) rows(begun time.Time) []ServeRow {
	t := r.test
	row := r.row(begun, r.ours.loads)
	row.Synapse, row.Serializer, row.Requests = r.served.question.make(t).Task().Name, t.Serializer, t.inARound()
	row.Texts, row.Length, row.Clients = t.Texts, t.Length, t.Clients
	if t.Synapse == "seq2seq" {
		row.Generate = t.Generate
	}
	for _, other := range r.turns {
		r.compare(&row, other)
	}
	if t.Mixed == 0 {
		return []ServeRow{row}
	}
	short := r.row(begun, r.shorts)
	short.Synapse, short.Serializer, short.Requests = askNext(t).Task().Name, "msgpack", short.Latency.Count/len(r.shorts)
	short.Texts, short.Length, short.Clients = 1, t.MixedLength, t.Mixed
	short.TokensPerBatch = row.TokensPerBatch
	row.Beside, short.Beside = short.Synapse, row.Synapse
	return []ServeRow{row, short}
}

// row has what all rows have.
func (r *serveRun) row(begun time.Time, loads []load) ServeRow {
	s, c := summarise(loads), r.target.Config
	row := ServeRow{
		Time: begun.UTC().Format(time.RFC3339), TopK: r.test.TopK, Rounds: len(loads),
		Latency: s.latency, RequestsPerSec: s.requests, TokensPerSec: s.tokens, BytesPerPosition: s.bytes, TokensPerBatch: s.perBatch,
	}
	if m := r.target.Model; m != nil {
		row.describe(m, c)
	} else {
		row.Endpoint = r.target.Endpoint.Address
	}
	if len(r.batches) > 0 {
		batches := make([]float64, len(r.batches))
		for i, d := range r.batches {
			batches[i] = milliseconds(d)
		}
		row.BatchMS = Median(batches)
		row.P99Batches = row.Latency.P99 / row.BatchMS
	}
	return row
}

func (r *ServeRow) describe(m *engine.Model, c Config) {
	info := m.Info()
	r.ModelFilename, r.ModelType, r.ModelSize = m.Name(), info.Description, info.SizeBytes
	r.Threads, r.UBatch, r.Flash, r.TypeK, r.TypeV = c.Threads, c.UBatch, c.Flash, c.TypeK, c.TypeV
}

// compare sets a row against another contender's rounds.
func (r *serveRun) compare(row *ServeRow, other *serveTurns) {
	s := summarise(other.loads)
	switch c := other.contender.(type) {
	case *unserved:
		row.Engine = &ServeOwn{s.requests, s.tokens, s.latency, s.perBatch, newRatio(row.RequestsPerSec.Samples, s.requests.Samples)}
	case *peerServer:
		row.Peer = &ServeTheirs{c.Name(), s.tokens, s.latency, s.bytes, newRatio(row.TokensPerSec.Samples, s.tokens.Samples)}
	}
}

// ServeTable is the table of a server's speed; with peer the md form has columns for
// the comparison.
func ServeTable(peer bool) Table[ServeRow] {
	t := Table[ServeRow]{columns: serveColumns, fields: serveFields}
	if peer {
		t.columns = slices.Concat(serveColumns, servePeerColumns)
	}
	return t
}
