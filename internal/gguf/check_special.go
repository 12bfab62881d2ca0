package gguf

import "strings"

// specialIDs are the keys that name a token.
var specialIDs = strings.Fields(`bos eos eot eom unknown seperator padding mask
	fim_pre fim_suf fim_mid fim_pad fim_rep fim_sep prefix suffix middle cls`)

// specialTokens checks the ids of special tokens, and that those which are put
// around every text exist: llama.cpp aborts when it has to put none.
func (c *checker) specialTokens(model string, kind tokenizer, tokens int) {
	for _, name := range specialIDs {
		c.specialID("tokenizer.ggml."+name+"_token_id", tokens)
	}
	d := defaultsOf(model, c.f.Text("tokenizer.ggml.pre"), kind)
	need := func(when bool, name string, fallback int64) {
		key := "tokenizer.ggml." + name + "_token_id"
		if when && c.effective(key, fallback, tokens) < 0 {
			c.fault(ErrTokenizer, hintConvert, "%s names no token, but the tokenizer needs one", key)
		}
	}
	switch kind {
	case wordPiece: // always puts both
		need(true, "bos", d.bos)
		need(true, "seperator", d.sep)
		need(true, "unknown", d.unk)
	case unigram:
		need(true, "unknown", d.unk)
		fallthrough
	case sentencePiece, pairs:
		need(c.flag("tokenizer.ggml.add_bos_token", d.addBOS) || d.forceBOS, "bos", d.bos)
		need(c.flag("tokenizer.ggml.add_eos_token", d.addEOS), "eos", d.eos)
	}
}

// specialID checks one id. llama.cpp reads them as u32 and passes over one that
// is out of range.
func (c *checker) specialID(key string, tokens int) {
	v, ok := c.f.Get(key)
	if !ok {
		return
	}
	id, isU32 := v.(uint32)
	if !isU32 {
		c.fault(ErrTokenizer, hintConvert, "%s is %s instead of u32", key, describeType(v))
	} else if uint64(id) >= uint64(tokens) {
		c.warn(ErrTokenizer, hintConvert, "%s is %d, but there are %d tokens", key, id, tokens)
	}
}

// flag reads a bool key of the tokenizer.
func (c *checker) flag(key string, fallback bool) bool {
	v, ok := c.f.Get(key)
	if !ok {
		return fallback
	}
	value, isBool := v.(bool)
	if !isBool {
		c.fault(ErrTokenizer, hintConvert, "%s is %s instead of bool", key, describeType(v))
	}
	return value
}

// effective returns the id that llama.cpp will use, -1 for none.
func (c *checker) effective(key string, fallback int64, tokens int) int64 {
	if v, _ := c.f.Get(key); v != nil {
		if id, ok := v.(uint32); ok && int64(id) < int64(tokens) {
			return int64(id)
		}
	}
	if fallback >= int64(tokens) {
		return -1
	}
	return fallback
}

// byKind checks what only one tokenizer needs.
func (c *checker) byKind(kind tokenizer, tokens []string) {
	switch kind {
	case sentencePiece:
		c.byteFallback(tokens)
	case unigram:
		c.charsmap()
	case rwkv:
		c.rwkvBytes(tokens)
	case plamo:
		c.plamoSuffixes(tokens)
	}
}

// byteFallback looks for the tokens of single bytes: llama.cpp throws when a
// text needs one that is not there.
func (c *checker) byteFallback(tokens []string) {
	var have [256]bool
	for _, t := range tokens {
		if b, ok := byteToken(t); ok {
			have[b] = true
		}
		if len(t) == 1 {
			have[t[0]] = true
		}
	}
	missing := 0
	for _, h := range have {
		if !h {
			missing++
		}
	}
	if missing > 0 {
		c.warn(ErrTokenizer, hintConvert, "%d bytes have no token; texts that need them cannot be tokenised", missing)
	}
}

// charsmap checks the length that the table of replacements begins with.
func (c *checker) charsmap() {
	const key = "tokenizer.ggml.precompiled_charsmap"
	v, ok := c.f.Get(key)
	if !ok {
		return
	}
	var head [4]byte
	switch a := v.(type) {
	case []uint8:
		copy(head[:], a)
	case []int8:
		for i := range min(4, len(a)) {
			head[i] = byte(a[i])
		}
	default:
		c.fault(ErrTokenizer, hintConvert, "%s is %s instead of an array of bytes", key, describeType(v))
		return
	}
	size := uint64(head[0]) | uint64(head[1])<<8 | uint64(head[2])<<16 | uint64(head[3])<<24
	if size%4 != 0 || size+4 >= uint64(Len(v)) {
		c.fault(ErrTokenizer, hintConvert, "%s announces a table of %d bytes in %d", key, size, Len(v))
	}
}

// rwkvBytes checks that every byte with which a token begins is itself a token:
// without it llama.cpp's longest match is empty and it never goes on.
func (c *checker) rwkvBytes(tokens []string) {
	var begins, single [256]bool
	for _, t := range tokens {
		text := rwkvUnescape(t)
		if len(text) == 0 {
			continue
		}
		begins[text[0]] = true
		if len(text) == 1 {
			single[text[0]] = true
		}
	}
	for b := range begins {
		if begins[b] && !single[b] {
			c.fault(ErrTokenizer, hintConvert, "tokens begin with the byte %#02x, which is no token itself", b)
			return
		}
	}
}

// rwkvUnescape returns the bytes that a token of the RWKV vocabulary stands for.
func rwkvUnescape(s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 >= len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		switch s[i] {
		case 't':
			out = append(out, '\t')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 'x':
			if i+2 < len(s) {
				out = append(out, hexDigit(s[i+1])<<4|hexDigit(s[i+2]))
			}
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return out
}

func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// plamoSuffixes bounds the table that llama.cpp builds of all endings of all tokens.
func (c *checker) plamoSuffixes(tokens []string) {
	const most = 1 << 28
	total := 0
	for _, t := range tokens {
		total += len(t) * len(t) / 2
	}
	if total > most {
		c.fault(ErrAbsurd, hintDownload, "the endings of its tokens take %d bytes, more than %d", total, most)
	}
}
