package gguf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// tokenByte is the token type of single bytes.
const tokenByte = 6

// maxToken is the longest token that is believed; real ones end at a few hundred bytes.
const maxToken = 1 << 16

// vocabulary checks the tokenizer's keys as llama.cpp reads them.
func (c *checker) vocabulary() {
	v, ok := c.f.Get("tokenizer.ggml.model")
	model, isText := v.(string)
	kind, known := tokenizers[model]
	switch {
	case !ok:
		c.fault(ErrTokenizer, hintConvert, "there is no vocabulary: tokenizer.ggml.model is missing")
	case !isText:
		c.fault(ErrTokenizer, hintConvert, "tokenizer.ggml.model is %s instead of str", describeType(v))
	case !known:
		c.fault(ErrTokenizer, "use a model that llama.cpp v0.5.0 knows", "llama.cpp has no tokenizer \"%s\"", clip(model))
	case isNoVocab(model):
		c.noVocab()
	default:
		c.tokens(model, kind)
	}
}

func isNoVocab(model string) bool { return model == "no_vocab" || model == "none" }

func (c *checker) noVocab() {
	c.number("vocab_size", false, 1, maxVocabSize)
	c.warn(ErrTokenizer, "", "there is no vocabulary: only token ids can be given to it")
}

func (c *checker) tokens(model string, kind tokenizer) {
	v, ok := c.f.Get("tokenizer.ggml.tokens")
	tokens, isTexts := v.([]string)
	switch {
	case !ok:
		c.fault(ErrTokenizer, hintConvert, "there is no vocabulary: tokenizer.ggml.tokens is missing")
		return
	case !isTexts:
		c.fault(ErrTokenizer, hintConvert, "tokenizer.ggml.tokens is %s instead of an array of str", describeType(v))
		return
	case len(tokens) == 0 || len(tokens) > maxVocabSize:
		c.fault(ErrTokenizer, hintConvert, "the vocabulary has %d tokens, not within 1 and %d", len(tokens), maxVocabSize)
		return
	}
	c.tokenTexts(tokens)
	c.scores(len(tokens))
	c.tokenTypes(tokens, kind)
	c.merges(kind)
	c.preTokenizer(kind)
	c.specialTokens(model, kind, len(tokens))
	c.byKind(kind, tokens)
}

// tokenTexts looks for tokens that are the same to llama.cpp, which aborts on them.
func (c *checker) tokenTexts(tokens []string) {
	seen := make(map[string]int, len(tokens))
	invalid := 0
	for i := range tokens {
		text := tokenText(tokens, i)
		if first, twice := seen[text]; twice {
			c.fault(ErrDuplicate, hintConvert, "tokens %d and %d are both \"%s\"", first, i, clip(text))
			return
		}
		seen[text] = i
		if len(text) > maxToken {
			c.fault(ErrAbsurd, hintDownload, "token %d has %d bytes, more than %d", i, len(text), maxToken)
			return
		}
		if !utf8.ValidString(text) {
			invalid++
		}
	}
	if invalid > 0 {
		c.warn(ErrTokenizer, hintConvert, "%d tokens are not valid UTF-8", invalid)
	}
}

// tokenText returns the token as llama.cpp will know it: up to its first zero
// byte; empty ones get a name.
func tokenText(tokens []string, i int) string {
	text, _, _ := strings.Cut(tokens[i], "\x00")
	if text == "" {
		text = fmt.Sprintf("[EMPTY_%d]", i)
	}
	return text
}

// scores and token types are read up to the number of tokens.
func (c *checker) scores(tokens int) {
	v, ok := c.f.Get("tokenizer.ggml.scores")
	if !ok {
		return
	}
	switch v.(type) {
	case []float32, []int32:
		c.asLong("tokenizer.ggml.scores", v, tokens)
	default:
		c.fault(ErrTokenizer, hintConvert, "tokenizer.ggml.scores is %s instead of an array of f32", describeType(v))
	}
}

func (c *checker) tokenTypes(tokens []string, kind tokenizer) {
	v, ok := c.f.Get("tokenizer.ggml.token_type")
	if !ok {
		return
	}
	types, isInts := v.([]int32)
	if !isInts {
		c.fault(ErrTokenizer, hintConvert, "tokenizer.ggml.token_type is %s instead of an array of i32", describeType(v))
		return
	}
	if c.asLong("tokenizer.ggml.token_type", v, len(tokens)) {
		c.byteTokens(tokens, types, kind)
	}
}

// asLong checks that an array has an element for each token; more are only odd.
func (c *checker) asLong(key string, v any, tokens int) bool {
	n := Len(v)
	if n < tokens {
		c.fault(ErrTokenizer, hintConvert, "%s has %d elements for %d tokens", key, n, tokens)
	} else if n > tokens {
		c.warn(ErrTokenizer, hintConvert, "%s has %d elements for %d tokens", key, n, tokens)
	}
	return n >= tokens
}

// byteTokens checks the tokens that stand for one byte, <0xXX>: the tokenizer of
// BERT has none and aborts on them, the others cut the number out unseen.
func (c *checker) byteTokens(tokens []string, types []int32, kind tokenizer) {
	for i := range tokens {
		if types[i] != tokenByte {
			continue
		}
		if kind == wordPiece {
			c.fault(ErrTokenizer, hintConvert, "token %d is a byte, which a bert tokenizer does not have", i)
			return
		}
		text := tokenText(tokens, i)
		if len(text) < 3 && kind != rwkv && kind != plamo {
			c.fault(ErrTokenizer, hintConvert, "token %d is a byte but reads \"%s\" instead of <0xXX>", i, clip(text))
			return
		}
	}
}

// byteToken reads "<0x41>" as 'A'.
func byteToken(text string) (byte, bool) {
	var b byte
	if len(text) != 6 || text[5] != '>' {
		return 0, false
	}
	n, err := fmt.Sscanf(text, "<0x%02X>", &b)
	return b, n == 1 && err == nil
}

func (c *checker) merges(kind tokenizer) {
	if kind != pairs {
		return
	}
	v, ok := c.f.Get("tokenizer.ggml.merges")
	list, isTexts := v.([]string)
	switch {
	case !ok && c.f.Text("tokenizer.ggml.pre") == "kimi-k2":
	case !ok:
		c.fault(ErrTokenizer, hintConvert, "tokenizer.ggml.merges is missing")
	case !isTexts:
		c.fault(ErrTokenizer, hintConvert, "tokenizer.ggml.merges is %s instead of an array of str", describeType(v))
	default:
		c.mergeTexts(list)
	}
}

// mergeTexts counts merges that name no pair; llama.cpp skips over them.
func (c *checker) mergeTexts(list []string) {
	broken, first := 0, 0
	for i, m := range list {
		// The left side may itself begin with a space.
		if len(m) < 3 || strings.IndexByte(m[1:], ' ') < 0 {
			if broken == 0 {
				first = i
			}
			broken++
		}
	}
	if broken > 0 {
		c.warn(ErrTokenizer, hintConvert, "%d merges name no pair, the first is number %d, \"%s\"", broken, first, clip(list[first]))
	}
}

func (c *checker) preTokenizer(kind tokenizer) {
	v, ok := c.f.Get("tokenizer.ggml.pre")
	if !ok {
		if kind == pairs && c.f.Text("tokenizer.ggml.model") != "gemma4" {
			c.warn(ErrTokenizer, hintConvert, "tokenizer.ggml.pre is missing; some texts will be tokenised wrongly")
		}
		return
	}
	name, isText := v.(string)
	if !isText {
		c.fault(ErrTokenizer, hintConvert, "tokenizer.ggml.pre is %s instead of str", describeType(v))
		return
	}
	if kind == pairs && c.f.Text("tokenizer.ggml.model") != "gemma4" && !preTokenizers[name] && name != "" {
		c.fault(ErrTokenizer, "use a model that llama.cpp v0.5.0 knows", "llama.cpp has no pre-tokenizer \"%s\"", clip(name))
	}
}
