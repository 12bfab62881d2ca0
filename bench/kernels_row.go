package bench

import (
	"fmt"
	"strconv"

	"axon/kernels"
)

// KernelRow is the result of one KernelTest. Times are of one thread and for
// one row.
type KernelRow struct {
	Build    string `json:"build"`
	LlamaCpp string `json:"llama_cpp"`
	Time     string `json:"test_time"`
	Source   string `json:"rows"` // a Kind, or the model that the rows are of
	Count    int    `json:"n_rows"`
	Vocab    int    `json:"n_vocab"`
	K        int    `json:"top_k"`
	Order    string `json:"order"`
	Variant  string `json:"variant"` // of package kernels
	Rounds   int    `json:"rounds"`

	Reduce         Timing  `json:"reduce"`        // kernels.Reduce: log-sum-exp and top-k
	Maximum        Timing  `json:"maximum"`       // kernels.Max: the floor
	SoftmaxTopK    Timing  `json:"llama_softmax"` // llama.cpp: softmax over the row, then top-k
	TopK           Timing  `json:"llama_top_k"`   // llama.cpp: top-k alone
	Heap           Timing  `json:"go_heap"`       // Go: math.Exp and a heap
	Sort           Timing  `json:"go_sort"`       // Go: math.Exp and a sort
	GBPerSecond    float64 `json:"gb_per_second"` // of the row's bytes, by Reduce's median
	MaxGBPerSecond float64 `json:"maximum_gb_per_second"`

	OverMaximum  Ratio `json:"reduce_over_maximum"`
	SoftmaxRatio Ratio `json:"llama_softmax_over_reduce"`
	TopKRatio    Ratio `json:"llama_top_k_over_reduce"`
	HeapRatio    Ratio `json:"go_heap_over_reduce"`
	SortRatio    Ratio `json:"go_sort_over_reduce"`
}

func newKernelRow(t KernelTest, vocab int, samples [][]float64) KernelRow {
	at := func(i int) Timing { return newTiming(samples[i]) }
	r := KernelRow{
		Source: t.Source, Count: len(t.Rows), Vocab: vocab, K: t.K, Order: orderName(t.Order), Variant: kernels.Variant(),
		Rounds: len(samples[atReduce]),
		Reduce: at(atReduce), Maximum: at(atMaximum), SoftmaxTopK: at(atSoftmaxTopK), TopK: at(atTopK), Heap: at(atHeap), Sort: at(atSort),
	}
	bytes := 4 * float64(vocab)
	r.GBPerSecond, r.MaxGBPerSecond = bytes/r.Reduce.NS, bytes/r.Maximum.NS
	r.OverMaximum = r.Reduce.over(r.Maximum)
	r.SoftmaxRatio, r.TopKRatio = r.SoftmaxTopK.over(r.Reduce), r.TopK.over(r.Reduce)
	r.HeapRatio, r.SortRatio = r.Heap.over(r.Reduce), r.Sort.over(r.Reduce)
	return r
}

// KernelTable is the table of reductions: in md, times in µs, the median and in
// brackets the extremes; "×" is the median of the rounds' ratios, of Reduce to
// the maximum first and then of each other contestant to Reduce.
func KernelTable() Table[KernelRow] {
	t := Table[KernelRow]{columns: []column[KernelRow]{
		{"rows", 11, false, func(r KernelRow) string { return r.Source }},
		{"V", 6, true, func(r KernelRow) string { return strconv.Itoa(r.Vocab) }},
		{"k", 4, true, func(r KernelRow) string { return strconv.Itoa(r.K) }},
		{"order", 10, false, func(r KernelRow) string { return r.Order }},
		{"variant", 7, false, func(r KernelRow) string { return r.Variant }},
		{"reduce µs (min–max)", 22, true, func(r KernelRow) string { return spreadText(r.Reduce) }},
		{"GB/s", 5, true, func(r KernelRow) string { return number(r.GBPerSecond, 1) }},
		{"max µs", 6, true, func(r KernelRow) string { return timeText(r.Maximum) }},
		{"× max", 5, true, func(r KernelRow) string { return number(r.OverMaximum.Median, 1) }},
	}}
	t.rival("llama.cpp", func(r KernelRow) Timing { return r.SoftmaxTopK }, func(r KernelRow) Ratio { return r.SoftmaxRatio })
	t.rival("its top-k", func(r KernelRow) Timing { return r.TopK }, func(r KernelRow) Ratio { return r.TopKRatio })
	t.rival("Go heap", func(r KernelRow) Timing { return r.Heap }, func(r KernelRow) Ratio { return r.HeapRatio })
	t.rival("Go sort", func(r KernelRow) Timing { return r.Sort }, func(r KernelRow) Ratio { return r.SortRatio })
	t.fields = kernelFields()
	return t
}

// rival appends the columns of a contestant that is compared with ours.
func (t *Table[R]) rival(name string, timing func(R) Timing, ratio func(R) Ratio) {
	t.columns = append(t.columns,
		column[R]{name + " µs", 12, true, func(r R) string { return timeText(timing(r)) }},
		column[R]{"×", 5, true, func(r R) string { return number(ratio(r).Median, 1) }})
}

// timeText is a median in microseconds.
func timeText(t Timing) string { return number(t.NS/1e3, 1) }

func spreadText(t Timing) string {
	return fmt.Sprintf("%.1f (%.1f–%.1f)", t.NS/1e3, t.Min/1e3, t.Max/1e3)
}

func kernelFields() []field[KernelRow] {
	fields := []field[KernelRow]{
		{"build", func(r KernelRow) string { return r.Build }},
		{"llama_cpp", func(r KernelRow) string { return r.LlamaCpp }},
		{"test_time", func(r KernelRow) string { return r.Time }},
		{"rows", func(r KernelRow) string { return r.Source }},
		{"n_rows", func(r KernelRow) string { return strconv.Itoa(r.Count) }},
		{"n_vocab", func(r KernelRow) string { return strconv.Itoa(r.Vocab) }},
		{"top_k", func(r KernelRow) string { return strconv.Itoa(r.K) }},
		{"order", func(r KernelRow) string { return r.Order }},
		{"variant", func(r KernelRow) string { return r.Variant }},
		{"rounds", func(r KernelRow) string { return strconv.Itoa(r.Rounds) }},
		{"gb_per_second", func(r KernelRow) string { return number(r.GBPerSecond, 3) }},
		{"maximum_gb_per_second", func(r KernelRow) string { return number(r.MaxGBPerSecond, 3) }},
	}
	fields = timingFields(fields, "reduce", func(r KernelRow) Timing { return r.Reduce })
	fields = timingFields(fields, "maximum", func(r KernelRow) Timing { return r.Maximum })
	fields = timingFields(fields, "llama_softmax", func(r KernelRow) Timing { return r.SoftmaxTopK })
	fields = timingFields(fields, "llama_top_k", func(r KernelRow) Timing { return r.TopK })
	fields = timingFields(fields, "go_heap", func(r KernelRow) Timing { return r.Heap })
	fields = timingFields(fields, "go_sort", func(r KernelRow) Timing { return r.Sort })
	fields = ratioFields(fields, "reduce_over_maximum", func(r KernelRow) Ratio { return r.OverMaximum })
	fields = ratioFields(fields, "llama_softmax_over_reduce", func(r KernelRow) Ratio { return r.SoftmaxRatio })
	fields = ratioFields(fields, "llama_top_k_over_reduce", func(r KernelRow) Ratio { return r.TopKRatio })
	fields = ratioFields(fields, "go_heap_over_reduce", func(r KernelRow) Ratio { return r.HeapRatio })
	return ratioFields(fields, "go_sort_over_reduce", func(r KernelRow) Ratio { return r.SortRatio })
}

// timingFields appends a timing's fields, named as in JSON.
func timingFields[R any](fields []field[R], name string, of func(R) Timing) []field[R] {
	return append(fields,
		field[R]{name + "_ns_per_row", func(r R) string { return number(of(r).NS, 1) }},
		field[R]{name + "_ns_per_row_min", func(r R) string { return number(of(r).Min, 1) }},
		field[R]{name + "_ns_per_row_max", func(r R) string { return number(of(r).Max, 1) }})
}

// ratioFields appends a ratio's fields.
func ratioFields[R any](fields []field[R], name string, of func(R) Ratio) []field[R] {
	return append(fields,
		field[R]{name, func(r R) string { return number(of(r).Median, 4) }},
		field[R]{name + "_min", func(r R) string { return number(of(r).Min, 4) }},
		field[R]{name + "_max", func(r R) string { return number(of(r).Max, 4) }})
}
