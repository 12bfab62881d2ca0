package gguf

import "strings"

// traits are what an architecture demands of its numbers, beyond what all do.
// llama.cpp asserts these while it builds the graph, which ends the process.
type traits uint

const (
	// rotary: the whole head is rotated, so that rope.dimension_count is its size.
	rotary traits = 1 << iota
	// square: keys and values are equally wide.
	square
	// uniform: all layers have the same heads.
	uniform
	// headless: layers without attention exist, so that head_count may be 0 or missing.
	headless
	// experts: expert_count must be positive.
	experts
	// apart: embedding and vocabulary differ in ways of its own.
	apart
)

// architectures are those that llama.cpp v0.5.0 loads (src/llama-arch.cpp).
var architectures = func() map[string]traits {
	all := make(map[string]traits)
	add := func(t traits, names string) {
		for n := range strings.FieldsSeq(names) {
			all[n] |= t
		}
	}
	add(0, `clip llama llama4 deci falcon grok gpt2 gptneox mpt baichuan starcoder refact bert modern-bert
		nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert bloom stablelm qwen qwen2 qwen2moe
		qwen2vl qwen3 qwen3moe qwen3next qwen3vl qwen3vlmoe qwen35 qwen35moe qwen4exp phi2 phi3 phimoe plamo
		plamo2 plamo3 codeshell orion internlm2 minicpm minicpm3 gemma gemma2 gemma3 gemma3n gemma4
		gemma4-assistant gemma-embedding starcoder2 mamba mamba2 maple jamba falcon-h1 xverse command-r cohere2
		cohere2moe dbrx olmo olmo2 olmoe muse-glimmer openelm arctic deepseek deepseek2 deepseek2-ocr deepseek32
		deepseek4 chatglm glm4 glm4moe glm-dsa bitnet t5 t5encoder jais jais2 nemotron nemotron_h nemotron_h_moe
		exaone exaone4 exaone-moe rwkv6 rwkv6qwen2 rwkv7 arwkv7 granite granitemoe granitehybrid graniteswitch
		granite_swa chameleon wavtokenizer-dec plm bailingmoe bailingmoe2 bailingmoe3 dots1 dots3note arcee afmoe
		laguna ernie4_5 ernie4_5-moe hunyuan-moe hunyuan-dense hunyuan_vl hy_v3 hy_v4 smollm3 gpt-oss lfm2
		lfm2moe dream smallthinker llada llada-moe seed_oss grovemoe apertus minimax-01 hrm_text minimax-m2
		minimax-m3 cogvlm rnd1 pangu-embedded mistral3 eagle3 dflash mistral4 paddleocr mimo2 step35 spark2_5
		llama-embed maincoder kimi-linear kimi-k3 talkie mellum nanbeige qwen3tts pockettts`)
	add(rotary|square|uniform, `llama llama4 llama-embed maincoder talkie baichuan falcon grok qwen2 dream llada
		llada-moe rnd1 qwen2moe qwen3 qwen3moe plamo codeshell orion internlm2 starcoder2 xverse dbrx olmo olmo2
		olmoe arctic deepseek exaone exaone4 chameleon seed_oss dots1 arcee ernie4_5 ernie4_5-moe hunyuan-moe
		smollm3 grovemoe pangu-embedded mistral3`)
	add(rotary|square, `deci granite`)
	add(square|uniform, `gpt2 gptneox mpt starcoder refact bloom stablelm qwen phi2 phi3 command-r chatglm glm4 bitnet jais`)
	add(uniform, `gemma gemma2 gemma3`)
	add(headless, `mamba mamba2 jamba falcon-h1 plamo2 rwkv6 rwkv6qwen2 rwkv7 arwkv7 granitehybrid graniteswitch
		nemotron_h nemotron_h_moe lfm2 lfm2moe kimi-linear kimi-k3 bailingmoe3 deci wavtokenizer-dec clip eagle3
		dflash gemma4-assistant qwen3tts pockettts minimax-01 deepseek4`)
	add(experts, `bailingmoe2 glm4moe grovemoe lfm2moe llada-moe mellum qwen2moe qwen35moe qwen3moe qwen3next
		qwen3vlmoe rnd1 smallthinker`)
	add(apart, `clip wavtokenizer-dec eagle3 dflash gemma4-assistant qwen3tts pockettts`)
	return all
}()

// has reports whether the file's architecture has all the traits.
func (c *checker) has(t traits) bool { return architectures[c.f.Architecture()]&t == t }
