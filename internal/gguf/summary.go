package gguf

import (
	"cmp"
	"slices"
)

// Summary is what a person wants to know of a model file at a glance.
type Summary struct {
	Architecture string `json:"architecture"`
	Name         string `json:"name,omitempty"`
	License      string `json:"license,omitempty"`
	// Parameters counts the numbers in all tensors.
	Parameters int64 `json:"parameters"`
	// FileType is the quantisation that the file claims, "" if it claims none.
	FileType string `json:"file_type,omitempty"`
	// Types is the histogram of tensor types, the largest first.
	Types []TypeCount `json:"types"`
	// BitsPerWeight is the mean over all tensors.
	BitsPerWeight float64 `json:"bits_per_weight"`
	Context       uint64  `json:"context"`
	Embedding     uint64  `json:"embedding"`
	Layers        uint64  `json:"layers"`
	Heads         uint64  `json:"heads"`
	KVHeads       uint64  `json:"kv_heads"`
	FeedForward   uint64  `json:"feed_forward"`
	Experts       uint64  `json:"experts,omitempty"`
	ExpertsUsed   uint64  `json:"experts_used,omitempty"`
	// VocabSize is the number of tokens.
	VocabSize int `json:"vocab_size"`
	// Vocab is the kind of tokenizer: BPE, SPM, WPM, UGM, RWKV, PLaMo-2 or none.
	Vocab string `json:"vocab"`
	// PreTokenizer is tokenizer.ggml.pre.
	PreTokenizer string `json:"pre_tokenizer,omitempty"`
	ChatTemplate bool   `json:"chat_template"`
	// Files is the number of files the model is spread over.
	Files   int    `json:"files"`
	Tensors int    `json:"tensors"`
	Keys    int    `json:"keys"`
	Version uint32 `json:"version"`
	// Size is the number of bytes of all files, Data that of the tensors.
	Size int64 `json:"size"`
	Data int64 `json:"data"`
}

// TypeCount says how much of a model is stored in one type.
type TypeCount struct {
	Type     string `json:"type"`
	Tensors  int    `json:"tensors"`
	Elements int64  `json:"elements"`
	Bytes    int64  `json:"bytes"`
}

// Summarize gathers the summary of a file and, if the model is split, its further
// parts. It asks nothing of the file: what is absent or odd stays zero.
func Summarize(f *File, parts ...*File) Summary {
	s := Summary{
		Architecture: f.Architecture(),
		Name:         f.Text("general.name"),
		License:      f.Text("general.license"),
		Context:      f.layerMax("context_length"),
		Embedding:    f.layerMax("embedding_length"),
		Layers:       f.layerMax("block_count"),
		Heads:        f.layerMax("attention.head_count"),
		KVHeads:      f.layerMax("attention.head_count_kv"),
		FeedForward:  f.layerMax("feed_forward_length"),
		Experts:      f.layerMax("expert_count"),
		ExpertsUsed:  f.layerMax("expert_used_count"),
		VocabSize:    len(f.Strings("tokenizer.ggml.tokens")),
		PreTokenizer: f.Text("tokenizer.ggml.pre"),
		ChatTemplate: f.Has("tokenizer.chat_template"),
		Files:        1 + len(parts),
		Keys:         len(f.KVs),
		Version:      f.Version,
	}
	if s.KVHeads == 0 {
		s.KVHeads = s.Heads
	}
	if t, ok := f.Uint("general.file_type"); ok {
		s.FileType = FileType(t).String()
	}
	s.Vocab = tokenizers[f.Text("tokenizer.ggml.model")].String()
	s.weigh(append([]*File{f}, parts...))
	return s
}

// weigh sums up the tensors.
func (s *Summary) weigh(files []*File) {
	counts := make(map[Type]*TypeCount)
	for _, f := range files {
		s.Size += f.Size
		s.Tensors += len(f.Tensors)
		for _, t := range f.Tensors {
			c := counts[t.Type]
			if c == nil {
				c = &TypeCount{Type: t.Type.String()}
				counts[t.Type] = c
			}
			c.Tensors++
			c.Elements += t.Elements()
			c.Bytes += t.Size
		}
	}
	for _, c := range counts {
		s.Types = append(s.Types, *c)
		s.Parameters += c.Elements
		s.Data += c.Bytes
	}
	slices.SortFunc(s.Types, func(a, b TypeCount) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Type, b.Type))
	})
	if s.Parameters > 0 {
		s.BitsPerWeight = 8 * float64(s.Data) / float64(s.Parameters)
	}
}

// layerMax returns an integer key of the architecture; of an array the largest element.
func (f *File) layerMax(name string) uint64 {
	v, _ := f.Get(f.ArchKey(name))
	most, _ := toUint(v)
	switch a := v.(type) {
	case []uint32:
		for _, n := range a {
			most = max(most, uint64(n))
		}
	case []int32:
		for _, n := range a {
			most = max(most, uint64(max(n, 0)))
		}
	}
	return most
}
