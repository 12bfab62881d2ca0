package gguf_test

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
)

func TestGoodModelsHaveNoProblems(t *testing.T) {
	require.Empty(t, check(t, small(t)))
}

func TestVocabularyFilesPass(t *testing.T) {
	for _, path := range vocabFiles(t) {
		f, err := gguf.Open(path)
		require.NoError(t, err)
		assert.NoError(t, gguf.CheckVocab(f).Err(path))
		assert.ErrorIs(t, gguf.Check(f).Err(path), gguf.ErrVocabOnly)
	}
}

// fault is one thing done to a good model and what Check must say about it.
type fault struct {
	name string
	do   func(*gguf.Model)
	kind error
	says string
}

func key(name string, value any) func(*gguf.Model) {
	return func(m *gguf.Model) { set(m, name, value) }
}

func testFaults(t *testing.T, faults []fault) {
	t.Helper()
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			m := small(t)
			c.do(m)
			err := check(t, m).Err("model.gguf")
			require.ErrorIs(t, err, c.kind)
			assert.Contains(t, err.Error(), c.says)
			assert.NotContains(t, err.Error(), "\n")
			assert.True(t, strings.HasPrefix(err.Error(), "model.gguf: "))
		})
	}
}

func TestCheckParameters(t *testing.T) {
	testFaults(t, []fault{
		{"no architecture", key("general.architecture", nil), gguf.ErrKey, "missing"},
		{"unknown architecture", key("general.architecture", "gptj"), gguf.ErrArchitecture, "gptj"},
		{"architecture as number", key("general.architecture", uint32(1)), gguf.ErrKey, "u32 instead of str"},
		{"adapter", key("general.type", "adapter"), gguf.ErrArchitecture, "--lora"},
		{"projector", key("general.architecture", "clip"), gguf.ErrArchitecture, "projector"},
		{"no layers", key("llama.block_count", uint32(0)), gguf.ErrAbsurd, "block_count is 0"},
		{"513 layers", key("llama.block_count", uint32(513)), gguf.ErrAbsurd, "513"},
		{"layers as text", key("llama.block_count", "2"), gguf.ErrKey, "str instead of u32"},
		{"layers as i32", key("llama.block_count", int32(2)), gguf.ErrKey, "i32 instead of u32"},
		{"more layers than tensors", key("llama.block_count", uint32(9)), gguf.ErrTensor, "no tensors of layer 2"},
		{"context 2^32-1", key("llama.context_length", uint32(math.MaxUint32)), gguf.ErrAbsurd, "context_length"},
		{"no context", key("llama.context_length", nil), gguf.ErrKey, "context_length is missing"},
		{"embedding 0", key("llama.embedding_length", uint32(0)), gguf.ErrAbsurd, "embedding_length is 0"},
		{"embedding of another", key("llama.embedding_length", uint32(64)), gguf.ErrKey, "width of a head, 16"},
		{"no heads", key("llama.attention.head_count", uint32(0)), gguf.ErrKey, "head_count is missing or 0"},
		{"3 heads", key("llama.attention.head_count", uint32(3)), gguf.ErrKey, "no multiple"},
		{"3 key-value heads", key("llama.attention.head_count_kv", uint32(3)), gguf.ErrKey, "no multiple of its 3"},
		{"heads differ", key("llama.attention.head_count_kv", []uint32{2, 4}), gguf.ErrKey, "unlike the first"},
		{"heads of one layer", key("llama.attention.head_count", []int32{4}), gguf.ErrKey, "arr[i32,1]"},
		{"negative heads", key("llama.attention.head_count", []int32{-1, -1}), gguf.ErrAbsurd, "head_count"},
		{"keys unlike values", key("llama.attention.value_length", uint32(16)), gguf.ErrKey, "needs them equal"},
		{"partial rotation", key("llama.rope.dimension_count", uint32(4)), gguf.ErrKey, "width of a head, 8"},
		{"rotation of 2^31", key("llama.rope.dimension_count", uint32(1<<31)), gguf.ErrAbsurd, "dimension_count"},
		{"heads wider than the matrices", func(m *gguf.Model) {
			for _, name := range []string{"attention.key_length", "attention.value_length", "rope.dimension_count"} {
				set(m, "llama."+name, uint32(16))
			}
		}, gguf.ErrTensor, "attn_q.weight is [32 32]; the heads need 64 there"},
		{"experts used of none", key("llama.expert_used_count", uint32(2)), gguf.ErrKey, "2 experts are used of 0"},
		{"experts of which none", key("llama.expert_count", uint32(8)), gguf.ErrKey, "expert_used_count is missing"},
		{"2000 experts", key("llama.expert_count", uint32(2000)), gguf.ErrAbsurd, "2000"},
		{"more groups than experts", key("llama.expert_group_count", uint32(4)), gguf.ErrKey, "groups"},
		{"epsilon NaN", key("llama.attention.layer_norm_rms_epsilon", float32(math.NaN())), gguf.ErrAbsurd, "NaN"},
		{"epsilon -1", key("llama.attention.layer_norm_rms_epsilon", float32(-1)), gguf.ErrAbsurd, "epsilon is -1"},
		{"frequency 0", key("llama.rope.freq_base", float32(0)), gguf.ErrAbsurd, "freq_base is 0"},
		{"epsilon as u32", key("llama.attention.layer_norm_rms_epsilon", uint32(1)), gguf.ErrKey, "u32 instead of f32"},
		{"name as array", key("general.name", []string{"a"}), gguf.ErrKey, "arr[str,1] instead of str"},
		{"prefix flag as number", key("tokenizer.ggml.add_space_prefix", uint32(1)), gguf.ErrKey, "u32 instead of bool"},
		{"unknown scaling", key("llama.rope.scaling.type", "magic"), gguf.ErrKey, "magic"},
		{"unknown pooling", key("llama.pooling_type", uint32(9)), gguf.ErrKey, "pooling_type is 9"},
		{"interval 0", key("llama.full_attention_interval", uint32(0)), gguf.ErrKey, "is 0"},
	})
}

func TestCheckTokenizer(t *testing.T) {
	bpe := func(then func(*gguf.Model)) func(*gguf.Model) {
		return func(m *gguf.Model) {
			set(m, "tokenizer.ggml.model", "gpt2")
			set(m, "tokenizer.ggml.pre", "gpt-2")
			set(m, "tokenizer.ggml.merges", []string{"a b"})
			then(m)
		}
	}
	token := func(i int, text string) func(*gguf.Model) {
		return func(m *gguf.Model) { tokens(m)[i] = text }
	}
	testFaults(t, []fault{
		{"no tokenizer", key("tokenizer.ggml.model", nil), gguf.ErrTokenizer, "no vocabulary"},
		{"unknown tokenizer", key("tokenizer.ggml.model", "magic"), gguf.ErrTokenizer, `"magic"`},
		{"tokenizer as number", key("tokenizer.ggml.model", uint32(1)), gguf.ErrTokenizer, "u32"},
		{"no tokens", key("tokenizer.ggml.tokens", nil), gguf.ErrTokenizer, "tokens is missing"},
		{"zero tokens", key("tokenizer.ggml.tokens", []string{}), gguf.ErrTokenizer, "0 tokens"},
		{"tokens as numbers", key("tokenizer.ggml.tokens", []int32{1}), gguf.ErrTokenizer, "arr[i32,1]"},
		{"other number of tokens", key("tokenizer.ggml.tokens", []string{"a", "b", "c"}), gguf.ErrTensor, "259 rows for 3 tokens"},
		{"the same token twice", token(100, "<s>"), gguf.ErrDuplicate, `tokens 1 and 100 are both "<s>"`},
		{"the same but for a zero", token(100, "<s>\x00x"), gguf.ErrDuplicate, "tokens 1 and 100"},
		{"endless token", token(100, strings.Repeat("x", 1<<17)), gguf.ErrAbsurd, "131072 bytes"},
		{"byte without number", token(100, "<0"), gguf.ErrTokenizer, "instead of <0xXX>"},
		{"too few scores", key("tokenizer.ggml.scores", []float32{1}), gguf.ErrTokenizer, "1 elements for 259 tokens"},
		{"scores as text", key("tokenizer.ggml.scores", "1"), gguf.ErrTokenizer, "str"},
		{"too few types", key("tokenizer.ggml.token_type", []int32{1}), gguf.ErrTokenizer, "1 elements"},
		{"types as u32", key("tokenizer.ggml.token_type", []uint32{1}), gguf.ErrTokenizer, "arr[u32,1]"},
		{"id as i32", key("tokenizer.ggml.bos_token_id", int32(1)), gguf.ErrTokenizer, "i32 instead of u32"},
		{"flag as number", key("tokenizer.ggml.add_bos_token", uint32(1)), gguf.ErrTokenizer, "u32 instead of bool"},
		{"no merges", bpe(key("tokenizer.ggml.merges", nil)), gguf.ErrTokenizer, "merges is missing"},
		{"merges as numbers", bpe(key("tokenizer.ggml.merges", []int32{1})), gguf.ErrTokenizer, "arr[i32,1]"},
		{"unknown pre-tokenizer", bpe(key("tokenizer.ggml.pre", "magic")), gguf.ErrTokenizer, `pre-tokenizer "magic"`},
		{"bos wanted, none there", bpe(func(m *gguf.Model) {
			set(m, "tokenizer.ggml.pre", "glm4")
			set(m, "tokenizer.ggml.bos_token_id", nil)
			set(m, "tokenizer.ggml.add_bos_token", true)
		}), gguf.ErrTokenizer, "bos_token_id names no token"},
		{"bert with bytes", key("tokenizer.ggml.model", "bert"), gguf.ErrTokenizer, "bert tokenizer does not have"},
		{"rwkv without single bytes", func(m *gguf.Model) {
			set(m, "tokenizer.ggml.model", "rwkv")
			set(m, "tokenizer.ggml.token_type", nil)
		}, gguf.ErrTokenizer, "which is no token itself"},
		{"charsmap too short", func(m *gguf.Model) {
			set(m, "tokenizer.ggml.model", "t5")
			set(m, "tokenizer.ggml.precompiled_charsmap", []uint8{200, 0, 0, 0, 1})
		}, gguf.ErrTokenizer, "announces a table of 200 bytes in 5"},
	})
}

func TestCheckStructure(t *testing.T) {
	tensor := func(name string, dims []int64, typ gguf.Type) func(*gguf.Model) {
		return func(m *gguf.Model) {
			n := typ.RowSize(1)
			for _, d := range dims {
				n *= d
			}
			if b := typ.Block(); b > 1 {
				n = typ.RowSize(dims[0])
			}
			m.Tensors = append(m.Tensors, gguf.Source{Name: name, Dims: dims, Type: typ, Write: bytesOf(int(n))})
		}
	}
	testFaults(t, []fault{
		{"key twice", func(m *gguf.Model) { m.KVs = append(m.KVs, m.KVs[3]) }, gguf.ErrDuplicate, "stands twice"},
		{"key without name", func(m *gguf.Model) { m.KVs = append(m.KVs, gguf.KV{Value: true}) }, gguf.ErrMalformed, "no name"},
		{"key with zero byte", key("a\x00b", true), gguf.ErrMalformed, "zero byte"},
		{"tensor twice", tensor("token_embd.weight", []int64{4}, gguf.F32), gguf.ErrDuplicate, "token_embd.weight"},
		{"tensor without name", tensor("", []int64{4}, gguf.F32), gguf.ErrTensor, "no name"},
		{"name of 64 bytes", tensor(strings.Repeat("n", 64), []int64{4}, gguf.F32), gguf.ErrTensor, "64 bytes"},
		{"norm in f16", tensor("x_norm.weight", []int64{4}, gguf.F16), gguf.ErrTensor, "must be f32"},
		{"factors in f16", tensor("rope_freqs.weight", []int64{4}, gguf.F16), gguf.ErrTensor, "must be f32"},
		{"matrix of integers", tensor("blk.7.ffn_up.weight", []int64{4, 4}, gguf.I32), gguf.ErrTensor, "cannot be multiplied"},
		{"positions as integers", tensor("position_embd.weight", []int64{4, 4}, gguf.I32), gguf.ErrTensor, "cannot be multiplied"},
		{"type of intermediate results", tensor("x", []int64{32}, gguf.Q8_1), gguf.ErrTensor, "no file may hold"},
		{"norm in f16, as a matrix", tensor("x_norm.weight", []int64{4, 1}, gguf.F16), gguf.ErrTensor, "must be f32"},
		{"no tensors", func(m *gguf.Model) { m.Tensors = nil }, gguf.ErrVocabOnly, "name a whole model"},
		{"part of a split", func(m *gguf.Model) {
			set(m, "split.count", uint16(3))
			set(m, "split.no", uint16(1))
		}, gguf.ErrSplit, "part 2 of 3"},
		{"split as u32", key("split.count", uint32(3)), gguf.ErrKey, "instead of u16"},
		{"alignment that cannot be mapped", key("general.alignment", uint32(1)), gguf.ErrTensor, "cannot be mapped"},
	})
}

// table builds a file of one tensor row by hand.
func table(dims []uint64, typ uint32, offset uint64, data int) []byte {
	r := header(3, 1, 0).str("t").u32(uint32(len(dims)))
	for _, d := range dims {
		r.u64(d)
	}
	r.u32(typ).u64(offset)
	return r.fill(32 - r.Len()%32 + data).Bytes()
}

func TestCheckTensorTable(t *testing.T) {
	for _, c := range []struct {
		name  string
		bytes []byte
		kind  error
		says  string
	}{
		{"unknown type", table([]uint64{32}, 99, 0, 128), gguf.ErrTensor, "unknown type 99"},
		{"removed type", table([]uint64{32}, 31, 0, 128), gguf.ErrTensor, "q4_0_4_4"},
		{"dimension 0", table([]uint64{32, 0}, 0, 0, 128), gguf.ErrAbsurd, "dimension of 0"},
		{"dimension -1", table([]uint64{1<<64 - 1}, 0, 0, 128), gguf.ErrAbsurd, "dimension of -1"},
		{"product overflows", table([]uint64{1 << 32, 1 << 32, 4}, 0, 0, 128), gguf.ErrAbsurd, "can be counted"},
		{"bytes overflow", table([]uint64{1 << 62}, 0, 0, 128), gguf.ErrAbsurd, "can be counted"},
		{"half a block", table([]uint64{33}, 2, 0, 128), gguf.ErrTensor, "no multiple of the 32"},
		{"offset", table([]uint64{32}, 0, 32, 256), gguf.ErrAbsurd, "begins at 32 of the data instead of 0"},
		{"offset 2^64-1", table([]uint64{32}, 0, 1<<64-1, 256), gguf.ErrAbsurd, "instead of 0"},
		{"beyond the end", table([]uint64{32}, 0, 0, 100), gguf.ErrTruncated, "tensor t ends at byte"},
		{"2^40 bytes", table([]uint64{1 << 40}, 24, 0, 100), gguf.ErrTruncated, "ends at byte"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := parse(c.bytes)
			require.NoError(t, err)
			err = gguf.Check(f).Err("")
			require.ErrorIs(t, err, c.kind)
			assert.Contains(t, err.Error(), c.says)
		})
	}
}

func TestWarningsDoNotRefuse(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(*gguf.Model)
		says string
	}{
		"id out of range": {key("tokenizer.ggml.eot_token_id", uint32(9999)), "9999"},
		"more scores":     {key("tokenizer.ggml.scores", make([]float32, 300)), "300 elements"},
		"odd number":      {key("llama.logit_scale", float32(math.Inf(1))), "+Inf"},
		"no pre-tokenizer": {func(m *gguf.Model) {
			set(m, "tokenizer.ggml.model", "gpt2")
			set(m, "tokenizer.ggml.merges", []string{"a b", "ab"})
		}, "tokenizer.ggml.pre is missing"},
		"a byte without token": {func(m *gguf.Model) { tokens(m)[50] = "many" }, "1 bytes have no token"},
		"no vocabulary": {func(m *gguf.Model) {
			set(m, "tokenizer.ggml.model", "no_vocab")
			set(m, "llama.vocab_size", uint32(259))
		}, "only token ids"},
	} {
		t.Run(name, func(t *testing.T) {
			m := small(t)
			c.do(m)
			ps := check(t, m)
			require.NoError(t, ps.Err(""))
			require.NotEmpty(t, ps.Warnings())
			var all []string
			for _, p := range ps {
				all = append(all, p.String())
			}
			assert.Contains(t, strings.Join(all, "\n"), c.says)
		})
	}
}

func TestAllProblemsAreListed(t *testing.T) {
	m := small(t)
	set(m, "llama.context_length", nil)
	set(m, "llama.rope.freq_base", float32(-1))
	set(m, "tokenizer.ggml.scores", []float32{1})
	ps := check(t, m)
	assert.Len(t, ps.Faults(), 3)
	assert.Contains(t, ps.Err("m").Error(), "2 more")
}
