package synth

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
)

func spec(t testing.TB, arch string, quantisation string) Spec {
	t.Helper()
	vocab, err := ByteVocab("gpt2")
	require.NoError(t, err)
	ft, err := gguf.ParseFileType(quantisation)
	require.NoError(t, err)
	return Spec{Arch: arch, Vocab: vocab, Embedding: 64, Layers: 2, Heads: 4, Context: 64, Type: ft, Seed: 5}
}

func encode(t testing.TB, s Spec, q QuantizeFunc) []byte {
	t.Helper()
	m, err := Model(context.Background(), s, q)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, m.Encode(context.Background(), &b, nil))
	return b.Bytes()
}

func TestEveryShapePassesTheCheck(t *testing.T) {
	for _, arch := range architectures {
		for _, quantisation := range []string{"f32", "f16", "bf16", "q8_0", "q4_0"} {
			for _, tied := range []bool{false, true} {
				s := spec(t, arch, quantisation)
				s.Tied = tied
				b := encode(t, s, nil)
				f, err := gguf.Parse(bytes.NewReader(b), int64(len(b)))
				require.NoError(t, err)
				require.Empty(t, gguf.Check(f), "%s %s", arch, quantisation)
				sum := gguf.Summarize(f)
				assert.Equal(t, quantisation, sum.FileType)
				assert.Equal(t, s.Parameters(), sum.Parameters)
				assert.Equal(t, !tied, f.Tensor("output.weight") != nil)
			}
		}
	}
}

// The bytes depend on the seed and on nothing else.
func TestSameSeedSameBytes(t *testing.T) {
	s := spec(t, "llama", "q8_0")
	s.FeedForward = 8192 // several blocks in one tensor
	want := encode(t, s, nil)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	assert.True(t, bytes.Equal(want, encode(t, s, nil)), "one thread")
	runtime.GOMAXPROCS(7)
	assert.True(t, bytes.Equal(want, encode(t, s, nil)), "seven threads")
	s.Seed++
	assert.False(t, bytes.Equal(want, encode(t, s, nil)), "another seed")
}

func TestValidateListsAllFaults(t *testing.T) {
	err := Spec{Arch: "rnn", Embedding: -1, Layers: 1000, Heads: 4, Context: 5}.Validate()
	require.Error(t, err)
	for _, says := range []string{`"rnn"`, "vocabulary", "embedding length -1", "layers 1000"} {
		assert.Contains(t, err.Error(), says)
	}
	s := spec(t, "gpt2", "f16")
	s.KVHeads = 2
	assert.ErrorContains(t, s.Validate(), "gpt2 has as many")
	s = spec(t, "llama", "f16")
	s.Heads, s.KVHeads = 7, 2
	assert.ErrorContains(t, s.Validate(), "not a multiple of 7 heads")
	assert.ErrorContains(t, s.Validate(), "7 heads are not a multiple of 2")
}

func TestTypesOfAMixture(t *testing.T) {
	s := spec(t, "llama", "q4_k_m")
	s.Embedding, s.Layers, s.FeedForward, s.KVHeads = 256, 16, 512, 1
	all := mixture{s.withDefaults(), func(gguf.Type) bool { return true }}
	types := make(map[string]gguf.Type)
	for _, x := range s.withDefaults().tensors() {
		types[x.name] = all.typeOf(x)
	}
	assert.Equal(t, gguf.Q6_K, types["output.weight"])
	assert.Equal(t, gguf.Q4_K, types["token_embd.weight"])
	assert.Equal(t, gguf.Q6_K, types["blk.0.attn_v.weight"])
	assert.Equal(t, gguf.Q4_K, types["blk.2.attn_v.weight"])
	assert.Equal(t, gguf.Q6_K, types["blk.15.ffn_down.weight"])
	assert.Equal(t, gguf.F32, types["output_norm.weight"])

	s.Embedding = 288 // no multiple of 256
	all.spec = s.withDefaults()
	assert.Equal(t, gguf.Q5_0, all.typeOf(all.spec.matrix("blk.2.ffn_up.weight", 288, 512, 1)))
	assert.Equal(t, gguf.F16, all.typeOf(all.spec.matrix("blk.2.ffn_up.weight", 9, 512, 1)))
	assert.Equal(t, gguf.F32, all.typeOf(all.spec.matrix("position_embd.weight", 256, 64, 1)))
}

func TestOtherTypesNeedAQuantizer(t *testing.T) {
	s := spec(t, "llama", "q4_k_m")
	s.Embedding = 256
	_, err := Model(context.Background(), s, nil)
	require.ErrorIs(t, err, gguf.ErrTensor)

	asked := make(chan gguf.Type, 1000)
	encode(t, s, func(typ gguf.Type, src []float32, perRow int, dst []byte) error {
		asked <- typ
		assert.Zero(t, len(src)%perRow)
		assert.EqualValues(t, typ.RowSize(int64(len(src))), len(dst))
		return nil
	})
	assert.NotEmpty(t, asked)

	broken := errors.New("broken")
	m, err := Model(context.Background(), s, func(gguf.Type, []float32, int, []byte) error { return broken })
	require.NoError(t, err)
	require.ErrorIs(t, m.Encode(context.Background(), &bytes.Buffer{}, nil), broken)

	ft, err := gguf.ParseFileType("iq1_s")
	require.NoError(t, err)
	s.Type = ft
	_, err = Model(context.Background(), s, func(gguf.Type, []float32, int, []byte) error { return nil })
	require.ErrorContains(t, err, "iq1_s cannot be made from random weights")
}

func TestCancelStopsTheWriting(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	dir := t.TempDir()
	s := spec(t, "llama", "f32")
	s.FeedForward = 1 << 15
	err := Write(ctx, filepath.Join(dir, "m.gguf"), s, nil, func(int64, int64) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	assert.Empty(t, left)
}

func TestPresets(t *testing.T) {
	assert.Equal(t, []string{"gpt2-124m", "llama3-8b", "tinyllama-1.1b"}, PresetNames())
	_, err := FindPreset("gpt5")
	assert.ErrorContains(t, err, "known are gpt2-124m")
	const dir = "../../../third_party/llama.cpp/dist/models"
	if len(VocabNames(dir)) == 0 {
		t.Skip("llama.cpp's vocabulary files are not there; make llama puts them in third_party/llama.cpp/dist/models")
	}
	for name, parameters := range map[string]int64{
		"gpt2-124m": 124_439_808, "tinyllama-1.1b": 1_100_048_384, "llama3-8b": 8_030_261_248,
	} {
		p, err := FindPreset(name)
		require.NoError(t, err)
		p.Spec.Vocab, err = OpenVocab(dir, p.Vocab)
		require.NoError(t, err)
		assert.Equal(t, parameters, p.Spec.Parameters(), name)
	}
	_, err = OpenVocab(dir, "klingon")
	assert.True(t, strings.Contains(err.Error(), "gpt-2"), err)
}
