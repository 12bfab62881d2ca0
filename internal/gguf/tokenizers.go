package gguf

import "strings"

// tokenizer is a way of cutting text.
type tokenizer int

const (
	noTokenizer tokenizer = iota
	sentencePiece
	wordPiece
	pairs // byte-pair encoding
	unigram
	rwkv
	plamo
	testing
)

// String returns the name that people use.
func (t tokenizer) String() string {
	return [...]string{"none", "SPM", "WPM", "BPE", "UGM", "RWKV", "PLaMo-2", "test"}[t]
}

// tokenizers are the values of tokenizer.ggml.model that llama.cpp v0.5.0 reads.
var tokenizers = map[string]tokenizer{
	"no_vocab":   noTokenizer,
	"none":       noTokenizer,
	"llama":      sentencePiece,
	"bert":       wordPiece,
	"gpt2":       pairs,
	"hybriddna":  pairs,
	"whitespace": pairs,
	"gemma4":     pairs,
	"t5":         unigram,
	"rwkv":       rwkv,
	"plamo2":     plamo,
	"test":       testing,
}

// preTokenizers are the values of tokenizer.ggml.pre that llama.cpp v0.5.0 reads.
var preTokenizers = func() map[string]bool {
	names := make(map[string]bool)
	for n := range strings.FieldsSeq(`default minicpm5 llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0
		lfm2 jina-v5-nano deepseek-llm deepseek-coder deepseek-v3 spark2_5 youtu falcon mpt starcoder gpt-2 phi-2
		jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert jais-2 gemma4
		granite-embed-multi-311m sarvam-moe jina-v1-en jina-v2-code roberta-bpe whitespace refact command-r qwen2
		deepseek-r1-qwen kormo f2llmv2 qwen35 stablelm2 olmo dbrx smaug-bpe poro-chat glm4 chatglm-bpe viking jais
		tekken smollm codeshell bloom gpt3-finnish exaone exaone4 exaone-moe chameleon minerva-7b megrez gpt-4o
		llama4 kanana2 talkie granite-embed-multi-97m tiny_aya cohere2moe superbpe trillion granite-docling
		bailingmoe bailingmoe2 llada-moe seed-coder hunyuan hunyuan-dense hy_v4 joyai-llm kimi-k2 ufakzeka grok-2
		afmoe laguna minimax-m2 solar-open mellum2`) {
		names[n] = true
	}
	return names
}()

// defaults are the special tokens that llama.cpp assumes where the file names
// none; -1 is no token.
type defaults struct {
	bos, eos, unk, sep int64
	// addBOS and addEOS say what is put around a text unless the file says otherwise.
	addBOS, addEOS bool
	// forceBOS says that the file is not asked.
	forceBOS bool
}

// defaultsOf returns what llama.cpp assumes of a tokenizer.
func defaultsOf(model, pre string, kind tokenizer) defaults {
	switch kind {
	case sentencePiece:
		return defaults{bos: 1, eos: 2, unk: 0, sep: -1, addBOS: true}
	case wordPiece:
		return defaults{bos: 101, eos: -1, unk: 100, sep: 102}
	case unigram:
		return defaults{bos: -1, eos: 1, unk: 2, sep: -1, addEOS: true}
	case pairs:
		return pairDefaults(model, pre)
	}
	return defaults{bos: -1, eos: -1, unk: -1, sep: -1}
}

func pairDefaults(model, pre string) defaults {
	d := defaults{bos: 11, eos: 11, unk: -1, sep: -1}
	if model == "gemma4" {
		d.bos, d.eos, pre = -1, -1, "gemma4"
	}
	switch pre {
	case "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano",
		"tekken", "chameleon":
		d.addBOS = true
	case "gemma4", "granite-embed-multi-311m":
		d.forceBOS = true
	case "glm4", "chatglm-bpe":
		d.bos = -1
	}
	return d
}
