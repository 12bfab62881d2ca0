package pack_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"axon/kernels"
	"axon/kernels/pack"

	"github.com/stretchr/testify/require"
)

// topK draws a row with the spread of a language model's: token i has about the
// likelihood (i+2)^-a, times noise. It returns the k most likely tokens by index.
func topK(r *rand.Rand, vocab, k int) pack.Row {
	a := 1 + 1.5*r.Float64()
	logits := make([]float64, vocab)
	sum := 0.0
	for i := range logits {
		logits[i] = -a*math.Log(float64(i+2)) + 1.5*r.NormFloat64()
		sum += math.Exp(logits[i])
	}
	order := make([]int, vocab)
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if logits[a] > logits[b] {
			return -1
		}
		return 1
	})
	rest := 0.0
	for _, i := range order[k:] {
		rest += math.Exp(logits[i]) / sum
	}
	row := pack.Row{Rest: float32(math.Log(rest))}
	slices.Sort(order[:k])
	for _, i := range order[:k] {
		row.Entries = append(row.Entries, kernels.Entry{Index: int32(i), Value: float32(logits[i] - math.Log(sum))})
	}
	return row
}

// encode packs rows into a batch.
func encode(t testing.TB, p pack.Params, rows ...pack.Row) []byte {
	t.Helper()
	e, err := pack.NewEncoder(p)
	require.NoError(t, err)
	for _, row := range rows {
		require.NoError(t, e.Add(row))
	}
	return e.Batch(nil)
}

// decode unpacks all rows of a batch.
func decode(t testing.TB, data []byte) []pack.Row {
	t.Helper()
	b, err := pack.Parse(data, pack.Limits{})
	require.NoError(t, err)
	rows := make([]pack.Row, b.Len())
	for i := range rows {
		require.NoError(t, b.Row(i, &rows[i]))
	}
	return rows
}

// divergence is the KL of the decoded row from the original one, in nats, over all
// its tokens and the rest; both are taken as of mass 1.
func divergence(p, q pack.Row) float64 {
	mp, mq := math.Log(mass(p)), math.Log(mass(q))
	kl := 0.0
	add := func(a, b float32) {
		if a > ninf {
			kl += math.Exp(float64(a)-mp) * (float64(a) - mp - float64(b) + mq)
		}
	}
	for i, e := range p.Entries {
		add(e.Value, q.Entries[i].Value)
	}
	add(p.Rest, q.Rest)
	return kl
}

// mass is what a row's entries and rest sum up to.
func mass(r pack.Row) float64 {
	sum := math.Exp(float64(r.Rest))
	for _, e := range r.Entries {
		sum += math.Exp(float64(e.Value))
	}
	return sum
}

// uniform is a row of all tokens, equally likely.
func uniform(vocab int) pack.Row {
	row := pack.Row{Rest: ninf}
	for i := range vocab {
		row.Entries = append(row.Entries, kernels.Entry{Index: int32(i), Value: -float32(math.Log(float64(vocab)))})
	}
	return row
}

var ninf = float32(math.Inf(-1))

// uglyRows are distributions over 50257 tokens that a model hardly gives.
func uglyRows() map[string]pack.Row {
	half := float32(-math.Ln2)
	var run []kernels.Entry
	for i := range 3000 {
		run = append(run, kernels.Entry{Index: int32(50257 - 3000 + i), Value: -8.0063677}) // 1/3000
	}
	return map[string]pack.Row{
		"nothing known":            {},
		"one certain token":        {Entries: []kernels.Entry{{Index: 50256}}, Rest: ninf},
		"certain, by rounding":     {Entries: []kernels.Entry{{Index: 0, Value: 5e-7}}, Rest: ninf},
		"first and last":           {Entries: []kernels.Entry{{Index: 0, Value: half}, {Index: 50256, Value: half}}, Rest: ninf},
		"one that cannot come":     {Entries: []kernels.Entry{{Index: 7, Value: half}, {Index: 8, Value: ninf}}, Rest: half},
		"none that can come":       {Entries: []kernels.Entry{{Index: 7, Value: ninf}, {Index: 8, Value: ninf}}},
		"rest below any float":     {Entries: []kernels.Entry{{Index: 3}}, Rest: -300},
		"entries below any float":  {Entries: []kernels.Entry{{Index: 3, Value: -200}, {Index: 5, Value: -210}}},
		"a run up to the last one": {Entries: run, Rest: ninf},
		"every token":              uniform(50257),
	}
}

// realisticRows are of several lengths, none of a round one but the last.
func realisticRows(t testing.TB) []pack.Row {
	const seed = 7
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var rows []pack.Row
	for _, k := range []int{1, 5, 40, 300, 777, 4500, 512} {
		rows = append(rows, topK(r, 50257, k))
	}
	return rows
}

func TestFloat32KeepsEveryBit(t *testing.T) {
	rows := realisticRows(t)
	for _, row := range uglyRows() {
		rows = append(rows, row)
	}
	for i, got := range decode(t, encode(t, pack.Params{Vocab: 50257, Mode: pack.Float32}, rows...)) {
		require.Equal(t, rows[i].Rest, got.Rest)
		require.Equal(t, len(rows[i].Entries), len(got.Entries))
		for j, e := range got.Entries {
			require.Equal(t, rows[i].Entries[j], e)
		}
	}
}

func TestFloat16RoundsOnce(t *testing.T) {
	p := pack.Params{Vocab: 50257, Mode: pack.Float16}
	rows := realisticRows(t)
	once := decode(t, encode(t, p, rows...))
	for i, got := range once {
		require.Equal(t, rows[i].Rest, got.Rest)
		for j, e := range got.Entries {
			require.Equal(t, rows[i].Entries[j].Index, e.Index)
			require.InEpsilon(t, rows[i].Entries[j].Value, e.Value, 0x1p-11)
		}
	}
	require.Equal(t, once, decode(t, encode(t, p, once...)), "float16 values are kept as they are")
}

func TestQuantisedStaysWithinItsBounds(t *testing.T) {
	rows := realisticRows(t)
	for _, p := range []pack.Params{
		{Vocab: 50257},
		{Vocab: 50257, KL: 1e-6, MaxStep: 1.0 / 64},
		{Vocab: 50257, KL: 1e-2, MaxStep: 4},
	} {
		kl, step := p.KL, p.MaxStep
		if kl == 0 {
			kl, step = pack.DefaultKL, pack.DefaultMaxStep
		}
		for i, got := range decode(t, encode(t, p, rows...)) {
			want := rows[i]
			require.InDelta(t, 0, math.Log(mass(got)), 1e-6, "mass")
			require.LessOrEqual(t, divergence(want, got), 1.5*kl, "row %d", i)
			known := -math.Expm1(float64(want.Rest))
			shift := 1.1*math.Sqrt(6*kl/known) + 2*kl/known + 1.0/1024
			for j, e := range got.Entries {
				require.Equal(t, want.Entries[j].Index, e.Index)
				require.InDelta(t, want.Entries[j].Value, e.Value, step/2+shift)
			}
		}
	}
}

// A row's error from the rest alone is at most 1/1024 of it, and of what it leaves.
func TestRestIsExactAtItsEnds(t *testing.T) {
	for name, row := range uglyRows() {
		got := decode(t, encode(t, pack.Params{Vocab: 50257}, row))[0]
		switch row.Rest {
		case -300:
			require.InDelta(t, -64, got.Rest, 0.01, name)
		case 0, ninf:
			require.Equal(t, row.Rest, got.Rest, name)
		default:
			require.InDelta(t, row.Rest, got.Rest, 1.0/1024, name)
		}
		if len(row.Entries) > 0 && row.Rest != 0 {
			require.InDelta(t, 1, mass(got), 1e-6, name)
		}
		for i, e := range got.Entries {
			if want := row.Entries[i].Value; want == ninf {
				require.Equal(t, want, e.Value, name)
			} else {
				require.InDelta(t, want, e.Value, 0.25, name)
			}
			require.LessOrEqual(t, e.Value, float32(0), name)
		}
	}
}

// What is improbable beyond the floor stays possible.
func TestFloor(t *testing.T) {
	row := pack.Row{Rest: ninf, Entries: []kernels.Entry{{Index: 1}, {Index: 2, Value: -1e30}, {Index: 3, Value: ninf}}}
	got := decode(t, encode(t, pack.Params{Vocab: 4}, row))[0]
	require.InDelta(t, pack.Floor, got.Entries[1].Value, 0.26)
	require.Equal(t, ninf, got.Entries[2].Value)
}

func TestSmallestVocabulary(t *testing.T) {
	for _, mode := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		row := pack.Row{Entries: []kernels.Entry{{}}, Rest: ninf}
		require.Equal(t, []pack.Row{row}, decode(t, encode(t, pack.Params{Vocab: 1, Mode: mode}, row)), mode)
		require.Empty(t, decode(t, encode(t, pack.Params{Vocab: 1, Mode: mode})), mode)
	}
}

func TestLargestVocabulary(t *testing.T) {
	half := float32(-math.Ln2)
	row := pack.Row{Entries: []kernels.Entry{{Index: 0, Value: half}, {Index: pack.MaxVocab - 1, Value: half}}, Rest: ninf}
	got := decode(t, encode(t, pack.Params{Vocab: pack.MaxVocab}, row))[0]
	require.Equal(t, int32(pack.MaxVocab-1), got.Entries[1].Index)
}

func TestRowsInAnyOrder(t *testing.T) {
	data := encode(t, pack.Params{Vocab: 50257}, realisticRows(t)...)
	want := decode(t, data)
	b, err := pack.Parse(data, pack.Limits{})
	require.NoError(t, err)
	require.Equal(t, pack.Params{Vocab: 50257, KL: pack.DefaultKL, MaxStep: pack.DefaultMaxStep}, b.Params())
	var row pack.Row
	total := 0
	for i := b.Len() - 1; i >= 0; i-- {
		require.NoError(t, b.Row(i, &row))
		require.Equal(t, want[i].Entries, row.Entries)
		require.Equal(t, len(row.Entries), b.RowLen(i))
		total += b.RowBytes(i)
	}
	require.Less(t, len(data)-total, 20+5*b.Len())
}

func TestEncoderRefuses(t *testing.T) {
	entry := func(i int32, v float32) kernels.Entry { return kernels.Entry{Index: i, Value: v} }
	nan := float32(math.NaN())
	for want, row := range map[string]pack.Row{
		"index 4 of entry 0 is outside the vocabulary of 4":          {Entries: []kernels.Entry{entry(4, 0)}},
		"index -1 of entry 0 is outside the vocabulary of 4":         {Entries: []kernels.Entry{entry(-1, 0)}},
		"index 2 of entry 1 follows 2: indices must ascend":          {Entries: []kernels.Entry{entry(2, -1), entry(2, -1)}},
		"index 1 of entry 1 follows 2: indices must ascend":          {Entries: []kernels.Entry{entry(2, -1), entry(1, -1)}},
		"5 entries exceed the vocabulary of 4":                       {Entries: make([]kernels.Entry, 5)},
		"log-probability NaN of entry 0 is not one":                  {Entries: []kernels.Entry{entry(0, nan)}},
		"log-probability 0.01 of entry 0 is not one":                 {Entries: []kernels.Entry{entry(0, 0.01)}},
		"rest NaN is not the log of a mass":                          {Rest: nan},
		"rest 1 is not the log of a mass":                            {Rest: 1},
		"its mass is off by -0.632: entries have 0.3679, the rest 0": {Entries: []kernels.Entry{entry(0, -1)}, Rest: ninf},
		"its mass is off by -1: entries have 0, the rest 0":          {Rest: ninf},
		"its mass is off by 0.368: entries have 0.3679, the rest 1":  {Entries: []kernels.Entry{entry(0, -1)}},
	} {
		e, err := pack.NewEncoder(pack.Params{Vocab: 4})
		require.NoError(t, err)
		good := pack.Row{Entries: []kernels.Entry{entry(1, 0)}, Rest: ninf}
		require.NoError(t, e.Add(good))
		err = e.Add(row)
		require.ErrorIs(t, err, pack.ErrRow)
		require.ErrorContains(t, err, want)
		require.Equal(t, encode(t, pack.Params{Vocab: 4}, good), e.Batch(nil), "the batch is as it was")
	}
	e, err := pack.NewEncoder(pack.Params{Vocab: 4, Mode: pack.Float16})
	require.NoError(t, err)
	require.ErrorContains(t, e.Add(pack.Row{Entries: []kernels.Entry{entry(0, -1e9)}}), "beyond float16")
}

func TestParamsListAllFaults(t *testing.T) {
	_, err := pack.NewEncoder(pack.Params{Mode: 9, KL: 2, MaxStep: -1})
	require.ErrorIs(t, err, pack.ErrParams)
	for _, fault := range []string{"Vocab 0 is outside", "mode 9 is unknown", "KL 2 nats", "MaxStep -1 nats"} {
		require.ErrorContains(t, err, fault)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	rows := realisticRows(t)
	for _, mode := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		p := pack.Params{Vocab: 50257, Mode: mode}
		e, err := pack.NewEncoder(p)
		require.NoError(t, err)
		data := encode(t, p, rows...)
		b, err := pack.Parse(data, pack.Limits{})
		require.NoError(t, err)
		var row pack.Row
		var out []byte
		round := func() {
			for i := range rows {
				if e.Add(rows[i]) != nil || b.Row(i, &row) != nil {
					t.Fatal("a good row was refused")
				}
			}
			out = e.Batch(out[:0])
			if b.Reset(data, pack.Limits{}) != nil {
				t.Fatal("a good batch was refused")
			}
		}
		round()
		require.Zero(t, testing.AllocsPerRun(10, round), mode)
	}
}
