package llama

/*
#include <stdlib.h>
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"
)

// Token is the id of an entry of a vocabulary.
type Token = int32

// NoToken stands where a vocabulary lacks a special token.
const NoToken Token = -1

// VocabKind is the family of a tokenizer.
type VocabKind int

// The families that llama.cpp knows.
const (
	VocabNone VocabKind = iota // the model has no vocabulary: only token ids
	VocabSPM                   // SentencePiece BPE with byte fall-back
	VocabBPE                   // byte-level BPE, as GPT-2's
	VocabWPM                   // WordPiece
	VocabUGM                   // Unigram
	VocabRWKV
	VocabPLaMo2
	VocabTest
)

func (k VocabKind) String() string {
	names := [...]string{"none", "SPM", "BPE", "WPM", "UGM", "RWKV", "PLaMo2", "test"}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("unknown (%d)", int(k))
}

// TokenAttr is a set of properties of a token.
type TokenAttr int

// Properties of tokens, as bits.
const (
	AttrUnknown TokenAttr = 1 << iota
	AttrUnused
	AttrNormal
	AttrControl
	AttrUserDefined
	AttrByte
)

var errNoVocab = errors.New("the model has no vocabulary; give token ids")

// Vocab is the vocabulary of a model. All its methods may be called from many
// goroutines at once.
type Vocab struct {
	model *Model

	Kind VocabKind
	Size int
	// Special tokens; NoToken where there is none.
	BOS, EOS, EOT, NL, Pad, Sep Token
	// Whether the tokenizer puts BOS before and EOS after a text.
	AddBOS, AddEOS bool
	// Suppressed are tokens that the model never wants sampled; a Sampler knows.
	Suppressed []Token
}

// Tokenize splits text into tokens. With addSpecial the vocabulary's own BOS
// and EOS are added where it asks for them; with parseSpecial the spelling of
// a control token in the text becomes that token.
func (v *Vocab) Tokenize(text string, addSpecial, parseSpecial bool) ([]Token, error) {
	if v.Kind == VocabNone {
		return nil, errNoVocab
	}
	if len(text) > math.MaxInt32/2 {
		return nil, fmt.Errorf("text of %d bytes exceeds the tokenizer's limit of %d; split it", len(text), math.MaxInt32/2)
	}
	if err := v.model.acquire(); err != nil {
		return nil, err
	}
	defer v.model.release()
	// One token a byte is rare; a second call asks for what it said it needs.
	out := make([]Token, len(text)/2+16)
	for {
		var e C.ax_error
		n := int(C.ax_tokenize(v.model.c, (*C.char)(unsafe.Pointer(unsafe.StringData(text))), C.int32_t(len(text)),
			(*C.int32_t)(&out[0]), C.int32_t(len(out)), C.bool(addSpecial), C.bool(parseSpecial), &e))
		switch {
		case n >= 0:
			return out[:n:n], nil
		case n == math.MinInt32:
			return nil, fmt.Errorf("tokenize: %w", failure(&e))
		}
		out = make([]Token, -n)
	}
}

// Detokenize is llama.cpp's own inverse of Tokenize. For BPE vocabularies it
// tidies blanks and so loses text; engine.Vocab has the lossless way.
func (v *Vocab) Detokenize(tokens []Token, removeSpecial, unparseSpecial bool) (string, error) {
	if len(tokens) == 0 {
		return "", nil
	}
	if v.Kind == VocabNone {
		return "", errNoVocab
	}
	if err := v.check(tokens); err != nil {
		return "", err
	}
	if err := v.model.acquire(); err != nil {
		return "", err
	}
	defer v.model.release()
	buf := make([]byte, 8*len(tokens)+64)
	for {
		n := int(C.ax_detokenize(v.model.c, (*C.int32_t)(&tokens[0]), C.int32_t(len(tokens)),
			(*C.char)(unsafe.Pointer(&buf[0])), C.int32_t(len(buf)), C.bool(removeSpecial), C.bool(unparseSpecial)))
		if n >= 0 {
			return string(buf[:n]), nil
		}
		buf = make([]byte, -n)
	}
}

// Piece is the text of one token as bytes, which need not be valid UTF-8. With
// special, control tokens are spelled out; otherwise they are empty.
func (v *Vocab) Piece(t Token, special bool) ([]byte, error) {
	if v.Kind == VocabNone {
		return nil, errNoVocab
	}
	if err := v.check([]Token{t}); err != nil {
		return nil, err
	}
	if err := v.model.acquire(); err != nil {
		return nil, err
	}
	defer v.model.release()
	buf := make([]byte, 32)
	for {
		n := int(C.ax_piece(v.model.c, C.int32_t(t), (*C.char)(unsafe.Pointer(&buf[0])), C.int32_t(len(buf)), C.bool(special)))
		if n >= 0 {
			return buf[:n], nil
		}
		buf = make([]byte, -n)
	}
}

// Attr is the set of a token's properties.
func (v *Vocab) Attr(t Token) TokenAttr {
	if v.Kind == VocabNone || v.check([]Token{t}) != nil || v.model.acquire() != nil {
		return 0
	}
	defer v.model.release()
	return TokenAttr(C.ax_token_attr(v.model.c, C.int32_t(t)))
}

// IsEOG reports whether the token ends a generation.
func (v *Vocab) IsEOG(t Token) bool {
	if v.Kind == VocabNone || v.check([]Token{t}) != nil || v.model.acquire() != nil {
		return false
	}
	defer v.model.release()
	return bool(C.ax_token_is_eog(v.model.c, C.int32_t(t)))
}

// check refuses ids outside the vocabulary, on which llama.cpp would stop the
// process or read beyond a table.
func (v *Vocab) check(tokens []Token) error {
	for _, t := range tokens {
		if t < 0 || int(t) >= v.Size {
			return fmt.Errorf("%w: %d, must be below %d", ErrToken, t, v.Size)
		}
	}
	return nil
}

// Message is one turn of a conversation.
type Message struct{ Role, Content string }

// ApplyChatTemplate writes a conversation the way a template wants it. The
// template is Jinja text that llama.cpp recognises, or the name of one that it
// knows ("chatml", "llama3", …). With addAssistant the text ends where the
// assistant's answer starts.
func ApplyChatTemplate(template string, chat []Message, addAssistant bool) (string, error) {
	var roles, contents strings.Builder
	for _, m := range chat {
		if strings.ContainsRune(m.Role, 0) || strings.ContainsRune(m.Content, 0) {
			return "", errors.New("a message contains a NUL byte")
		}
		roles.WriteString(m.Role + "\x00")
		contents.WriteString(m.Content + "\x00")
	}
	t := C.CString(template)
	r := (*C.char)(C.CBytes([]byte(roles.String() + "\x00")))
	c := (*C.char)(C.CBytes([]byte(contents.String() + "\x00")))
	defer C.free(unsafe.Pointer(t))
	defer C.free(unsafe.Pointer(r))
	defer C.free(unsafe.Pointer(c))
	buf := make([]byte, 2*contents.Len()+1024)
	for {
		var e C.ax_error
		n := int(C.ax_chat_apply(t, r, c, C.size_t(len(chat)), C.bool(addAssistant),
			(*C.char)(unsafe.Pointer(&buf[0])), C.int32_t(len(buf)), &e))
		if n < 0 {
			return "", failure(&e)
		}
		if n <= len(buf) {
			return string(buf[:n]), nil
		}
		buf = make([]byte, n)
	}
}
