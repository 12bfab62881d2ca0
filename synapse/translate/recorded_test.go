package translate

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
)

func unmarshalTuple(b []byte, fields ...any) error {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	if len(raw) != len(fields) {
		return fmt.Errorf("%d entries in place of %d", len(raw), len(fields))
	}
	for i, f := range fields {
		if err := json.Unmarshal(raw[i], f); err != nil {
			return err
		}
	}
	return nil
}

// recorded is a case whose fields depend on its operation.
type recorded struct {
	Name string
	Op   string
	raw  json.RawMessage
}

func (c *recorded) UnmarshalJSON(b []byte) error {
	type plain recorded
	c.raw = slices.Clone(b)
	return json.Unmarshal(b, (*plain)(c))
}

func (c recorded) into(t *testing.T, v any) {
	t.Helper()
	require.NoError(t, json.Unmarshal(c.raw, v))
}

func array[T any](t *testing.T, f conformance.Folder, a conformance.Array) []T {
	t.Helper()
	raw := f.Array(a)
	out := make([]T, len(raw)/binary.Size(*new(T)))
	require.NoError(t, binary.Read(bytes.NewReader(raw), binary.LittleEndian, out))
	return out
}

// rowsOf cuts a tensor into rows.
func rowsOf(data []float32, width int) [][]float32 {
	rows := make([][]float32, 0, len(data)/width)
	for ; len(data) >= width; data = data[width:] {
		rows = append(rows, data[:width])
	}
	return rows
}

// steps are what a text goes through on its way to the server, for each text.
type steps struct {
	Text, ToText    []string   `json:"-"`
	From            [][][2]int `json:"from_offsets"`
	To              [][][2]int `json:"to_offsets"`
	Padded          [][][2]int `json:"pad_offsets"`
	Tokens          [][]int32  `json:"input_ids"`
	ServerRaw       [][][2]int `json:"server_offsets_raw"`
	StandardRaw     [][][2]int `json:"std_offsets_raw"`
	Again           [][]int32  `json:"std_ids_again"`
	Offsets         [][][2]int `json:"offset_mapping"`
	StandardOffsets [][][2]int `json:"offset_mapping_std"`
}

func (s *steps) UnmarshalJSON(b []byte) error {
	type plain steps
	var texts struct {
		Text   []string `json:"text"`
		ToText []string `json:"to_text"`
	}
	if err := json.Unmarshal(b, &texts); err != nil {
		return err
	}
	s.Text, s.ToText = texts.Text, texts.ToText
	return json.Unmarshal(b, (*plain)(s))
}

// translation is what the recordings of both kinds of vocabularies have in common.
type translation struct {
	Server   string
	Standard [][]int32 `json:"tokens_std"`
	Steps    steps
	Splits   [][]recordedCut
	Missing  int `json:"unaligned_reports"`
	Stable   struct {
		Positions, Of int
		Mean          float64 `json:"mean_cross_entropy"`
	} `json:"stable_loss"`
	Error any
}

// checkSteps does the steps of text b and compares them.
func (c translation) checkSteps(t *testing.T, r *reference, b int) (server, standard []span) {
	t.Helper()
	s := c.Steps
	w := newTwin(r.standard.decode(c.Standard[b]...), r.endName, r.serverEndName)
	require.Equal(t, s.Text[b], w.text)
	require.Equal(t, s.ToText[b], w.server)
	require.ElementsMatch(t, toSpans(s.From[b]), w.from)
	require.ElementsMatch(t, toSpans(s.To[b]), w.to)
	require.ElementsMatch(t, toSpans(s.Padded[b]), w.padded)

	tokens, where, err := r.server.encodeWithSpans(w.server)
	require.NoError(t, err)
	require.Equal(t, c.serverTokens(b), tokens)
	server = characters(w.server, where)
	require.Equal(t, toSpans(s.ServerRaw[b]), server)
	server = pad(server, w.to, w.padded)
	require.Equal(t, toSpans(s.Offsets[b]), server)

	again, where, err := r.standard.encodeWithSpans(w.text)
	require.NoError(t, err)
	require.Equal(t, s.Again[b], again)
	standard = characters(w.text, where)
	require.Equal(t, toSpans(s.StandardRaw[b]), standard)
	standard = pad(standard, w.from, w.padded)
	require.Equal(t, toSpans(s.StandardOffsets[b]), standard)

	require.Equal(t, toCuts(c.Splits[b]), cuts(server, standard))
	return server, standard
}

// serverTokens are those of text b without what it was padded with on the left.
func (c translation) serverTokens(b int) []int32 {
	all := c.Steps.Tokens[b]
	return all[len(all)-len(c.Steps.ServerRaw[b]):]
}

// recordedModel answers with recorded rows, from several goroutines and in any
// order, as an engine may.
func recordedModel(rows [][]float32) Rows {
	return func(_ context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
		if len(tokens) != len(rows) {
			return fmt.Errorf("%d rows are recorded for %d tokens", len(rows), len(tokens))
		}
		if positions == nil {
			for i := range rows {
				positions = append(positions, i)
			}
		}
		positions = slices.Clone(positions)
		rand.New(rand.NewPCG(1, uint64(len(rows)))).Shuffle(len(positions), func(i, j int) { positions[i], positions[j] = positions[j], positions[i] })
		errs := make(chan error, len(positions))
		var wg sync.WaitGroup
		for k := range 3 {
			wg.Go(func() {
				for i := k; i < len(positions); i += 3 {
					row := slices.Clone(rows[positions[i]])
					errs <- each(positions[i], row)
					clear(row) // it must not be kept
				}
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				return err
			}
		}
		return nil
	}
}

type distributions func(ctx context.Context, model Rows, positions []int, each func(int, []float32) error) (Stats, error)

// collect takes all rows of a translation.
func collect(t *testing.T, d distributions, model Rows, n int) [][]float32 {
	t.Helper()
	rows := make([][]float32, n)
	var mu sync.Mutex
	_, err := d(t.Context(), model, nil, func(pos int, probs []float32) error {
		mu.Lock()
		defer mu.Unlock()
		if rows[pos] != nil {
			return fmt.Errorf("row %d came twice", pos)
		}
		rows[pos] = slices.Clone(probs)
		return nil
	})
	require.NoError(t, err)
	for i := range rows {
		require.NotNil(t, rows[i], "row %d", i)
	}
	return rows
}

const (
	probTolerance = 2e-4
	probFloor     = 1e-8
	lossTolerance = 1e-3
	stableProb    = 1e-6 // losses of less likely tokens are noise
)

func checkProbs(t *testing.T, want, got []float32, what string, args ...any) {
	t.Helper()
	require.Len(t, got, len(want), what)
	for i, w := range want {
		if d := math.Abs(float64(w) - float64(got[i])); !(d <= probFloor+probTolerance*math.Abs(float64(w))) {
			require.Failf(t, "probabilities differ", "%s: [%d] is %v, recorded %v", fmt.Sprintf(what, args...), i, got[i], w)
		}
	}
}

// checkLoss compares the mean cross-entropy where it is not noise.
func (c translation) checkLoss(t *testing.T, texts [][][]float32) {
	t.Helper()
	sum, n, of := 0.0, 0, 0
	for b, rows := range texts {
		for s := range len(rows) - 1 {
			of++
			if p := rows[s][c.Standard[b][s+1]]; p >= stableProb {
				sum -= math.Log(float64(p))
				n++
			}
		}
	}
	require.Equal(t, c.Stable.Of, of)
	require.Equal(t, c.Stable.Positions, n)
	require.InDelta(t, c.Stable.Mean, sum/float64(n), lossTolerance)
}
