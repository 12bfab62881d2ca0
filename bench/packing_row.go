package bench

import (
	"fmt"
	"strconv"
)

// PackRow is the result of one PackTest. Times are of one thread, for one row,
// as the mean over a batch.
type PackRow struct {
	Build        string  `json:"build"`
	Time         string  `json:"test_time"`
	Source       string  `json:"rows"` // a Kind, or the model that the rows are of
	Count        int     `json:"n_rows"`
	Vocab        int     `json:"n_vocab"`
	K            int     `json:"top_k"`
	Mode         string  `json:"mode"`
	AimedKL      float64 `json:"kl_aimed_nats"` // 0 where the mode has none
	MaxStep      float64 `json:"max_step_nats"`
	RowsPerBatch int     `json:"rows_per_batch"`
	Rounds       int     `json:"rounds"`

	Bytes     float64 `json:"bytes_per_row"` // with the row's share of what a batch has once
	BytesP90  float64 `json:"bytes_per_row_p90"`
	Bound     float64 `json:"index_bound_bytes_per_row"` // log2 C(V, k) / 8
	KL        float64 `json:"kl_nats"`                   // of the unpacked row from the row, the mean
	KLMax     float64 `json:"kl_nats_max"`
	Bias      float64 `json:"cross_entropy_bias_nats"` // what the unpacked row charges more, the mean
	BiasError float64 `json:"cross_entropy_bias_standard_error_nats"`
	OnTargets bool    `json:"bias_on_targets"` // of the text; otherwise expected under the row

	PairsBytes float64 `json:"pairs_bytes_per_row"` // the reference's float32 pairs
	ZstdBytes  float64 `json:"zstd_bytes_per_row"`  // the same under zstd

	Reduce      Timing `json:"reduce"` // kernels.Reduce of the same rows, by index
	Encode      Timing `json:"encode"`
	Decode      Timing `json:"decode"`
	PairsEncode Timing `json:"pairs_encode"`
	PairsDecode Timing `json:"pairs_decode"`
	ZstdEncode  Timing `json:"zstd_encode"` // with making the pairs
	ZstdDecode  Timing `json:"zstd_decode"`

	EncodeOverReduce Ratio `json:"encode_over_reduce"`
	DecodeOverEncode Ratio `json:"decode_over_encode"`
	ZstdEncodeRatio  Ratio `json:"zstd_encode_over_encode"`
	ZstdDecodeRatio  Ratio `json:"zstd_decode_over_decode"`
}

// timings takes the samples in, which are of whole batches.
func (r *PackRow) timings(samples [][]float64, rows int) {
	at := func(i int) Timing {
		for j := range samples[i] {
			samples[i][j] /= float64(rows)
		}
		return newTiming(samples[i])
	}
	r.Reduce, r.Encode, r.Decode = at(atPackReduce), at(atEncode), at(atDecode)
	r.PairsEncode, r.PairsDecode, r.ZstdEncode, r.ZstdDecode = at(atPairsEncode), at(atPairsDecode), at(atZstdEncode), at(atZstdDecode)
	r.EncodeOverReduce, r.DecodeOverEncode = r.Encode.over(r.Reduce), r.Decode.over(r.Encode)
	r.ZstdEncodeRatio, r.ZstdDecodeRatio = r.ZstdEncode.over(r.Encode), r.ZstdDecode.over(r.Decode)
}

// PackTable is the table of packing: in md, times in µs for a row, medians.
func PackTable() Table[PackRow] {
	return Table[PackRow]{fields: packFields(), columns: []column[PackRow]{
		{"rows", 10, false, func(r PackRow) string { return r.Source }},
		{"V", 6, true, func(r PackRow) string { return strconv.Itoa(r.Vocab) }},
		{"k", 4, true, func(r PackRow) string { return strconv.Itoa(r.K) }},
		{"mode", 9, false, func(r PackRow) string { return r.Mode }},
		{"bytes (p90)", 17, true, func(r PackRow) string { return fmt.Sprintf("%.1f (%.1f)", r.Bytes, r.BytesP90) }},
		{"bound", 6, true, func(r PackRow) string { return number(r.Bound, 1) }},
		{"KL nats (max)", 17, true, func(r PackRow) string { return fmt.Sprintf("%.1e (%.1e)", r.KL, r.KLMax) }},
		{"bias nats", 18, true, biasText},
		{"reduce µs", 9, true, func(r PackRow) string { return timeText(r.Reduce) }},
		{"encode µs", 9, true, func(r PackRow) string { return timeText(r.Encode) }},
		{"÷ reduce", 8, true, func(r PackRow) string { return number(r.EncodeOverReduce.Median, 2) }},
		{"decode µs", 9, true, func(r PackRow) string { return timeText(r.Decode) }},
		{"÷ encode", 8, true, func(r PackRow) string { return number(r.DecodeOverEncode.Median, 2) }},
		{"pairs", 6, true, func(r PackRow) string { return number(r.PairsBytes, 0) }},
		{"en/decode µs", 12, true, func(r PackRow) string { return timeText(r.PairsEncode) + " / " + timeText(r.PairsDecode) }},
		{"zstd", 7, true, func(r PackRow) string { return number(r.ZstdBytes, 1) }},
		{"en/decode µs", 13, true, func(r PackRow) string { return timeText(r.ZstdEncode) + " / " + timeText(r.ZstdDecode) }},
	}}
}

// biasText marks an expectation, which no text was needed for.
func biasText(r PackRow) string {
	if !r.OnTargets {
		return fmt.Sprintf("E %.1e", r.Bias)
	}
	return fmt.Sprintf("%.1e ± %.0e", r.Bias, r.BiasError)
}

func packFields() []field[PackRow] {
	fields := []field[PackRow]{
		{"build", func(r PackRow) string { return r.Build }},
		{"test_time", func(r PackRow) string { return r.Time }},
		{"rows", func(r PackRow) string { return r.Source }},
		{"n_rows", func(r PackRow) string { return strconv.Itoa(r.Count) }},
		{"n_vocab", func(r PackRow) string { return strconv.Itoa(r.Vocab) }},
		{"top_k", func(r PackRow) string { return strconv.Itoa(r.K) }},
		{"mode", func(r PackRow) string { return r.Mode }},
		{"kl_aimed_nats", func(r PackRow) string { return short(r.AimedKL) }},
		{"max_step_nats", func(r PackRow) string { return short(r.MaxStep) }},
		{"rows_per_batch", func(r PackRow) string { return strconv.Itoa(r.RowsPerBatch) }},
		{"rounds", func(r PackRow) string { return strconv.Itoa(r.Rounds) }},
		{"bytes_per_row", func(r PackRow) string { return number(r.Bytes, 2) }},
		{"bytes_per_row_p90", func(r PackRow) string { return number(r.BytesP90, 2) }},
		{"index_bound_bytes_per_row", func(r PackRow) string { return number(r.Bound, 2) }},
		{"kl_nats", func(r PackRow) string { return short(r.KL) }},
		{"kl_nats_max", func(r PackRow) string { return short(r.KLMax) }},
		{"cross_entropy_bias_nats", func(r PackRow) string { return short(r.Bias) }},
		{"cross_entropy_bias_standard_error_nats", func(r PackRow) string { return short(r.BiasError) }},
		{"bias_on_targets", func(r PackRow) string { return strconv.FormatBool(r.OnTargets) }},
		{"pairs_bytes_per_row", func(r PackRow) string { return number(r.PairsBytes, 2) }},
		{"zstd_bytes_per_row", func(r PackRow) string { return number(r.ZstdBytes, 2) }},
	}
	fields = timingFields(fields, "reduce", func(r PackRow) Timing { return r.Reduce })
	fields = timingFields(fields, "encode", func(r PackRow) Timing { return r.Encode })
	fields = timingFields(fields, "decode", func(r PackRow) Timing { return r.Decode })
	fields = timingFields(fields, "pairs_encode", func(r PackRow) Timing { return r.PairsEncode })
	fields = timingFields(fields, "pairs_decode", func(r PackRow) Timing { return r.PairsDecode })
	fields = timingFields(fields, "zstd_encode", func(r PackRow) Timing { return r.ZstdEncode })
	fields = timingFields(fields, "zstd_decode", func(r PackRow) Timing { return r.ZstdDecode })
	fields = ratioFields(fields, "encode_over_reduce", func(r PackRow) Ratio { return r.EncodeOverReduce })
	fields = ratioFields(fields, "decode_over_encode", func(r PackRow) Ratio { return r.DecodeOverEncode })
	fields = ratioFields(fields, "zstd_encode_over_encode", func(r PackRow) Ratio { return r.ZstdEncodeRatio })
	return ratioFields(fields, "zstd_decode_over_decode", func(r PackRow) Ratio { return r.ZstdDecodeRatio })
}

// short writes small numbers with an exponent.
func short(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }
