package translate

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPhrases(t *testing.T) {
	standard := newToy("a", "b", "ab", "\xc3", "\xa9", "b\xc3", "<", "/", "s", ">", "1", "\ufffd", "<end>")
	server := newToy("ab", "aab", "b\xc3", "a\xa9", "</s1>", "", "</s>")
	p := newPair(t, server, standard)
	for token, want := range [][]int32{
		{2},
		{0, 2},
		{5},              // bytes are kept
		{0, 4},           // in the longest tokens that fit
		{6, 7, 8, 10, 9}, // a name
		{11},             // nothing
		{12},             // the end of a text
	} {
		require.Equal(t, want, p.Phrase(int32(token)), "%q", server.Tokens[token])
	}
	require.Nil(t, p.Phrase(-1))
	require.Nil(t, p.Phrase(int32(server.Size())))
}

// Where the standard vocabulary lacks a byte, the reference's way is what is left.
func TestPhraseOfBytesThatCannotBeSpelt(t *testing.T) {
	p := newPair(t, newToy("a\xc3", "</s>"), newToy("a", "\ufffd", "<end>"))
	require.Equal(t, []int32{0, 1}, p.Phrase(0))
}

func TestInvalidUTF8(t *testing.T) {
	for in, want := range map[string]string{
		"":                     "",
		"é":                    "é",
		"\xc3":                 "\ufffd",
		"\xc3\xc3\xa9":         "\ufffdé",
		"\xe2\x82":             "\ufffd", // one maximal part
		"\xe2\x82\xe2\x82\xac": "\ufffd€",
		"\xf0\x9f\x98":         "\ufffd",
		"\xe0\x80\x80":         "\ufffd\ufffd\ufffd", // overlong: no part of a character
		"\xed\xa0\x80":         "\ufffd\ufffd\ufffd", // a surrogate
		"\xf4\x90\x80\x80":     "\ufffd\ufffd\ufffd\ufffd",
		"\xf0\x80":             "\ufffd\ufffd",
		"\xffa\x80":            "\ufffda\ufffd",
	} {
		require.Equal(t, want, validUTF8([]byte(in)), "%q", in)
	}
}
