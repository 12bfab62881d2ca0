package translate

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "aé€😀", "\xc3", "\xe2\x82\xe2\x82\xac", "\xf0\x9f\x98\x80\x80", "\xed\xa0\x80", "a\ufffd"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text := validUTF8(raw)
		require.True(t, utf8.ValidString(text))
		if utf8.Valid(raw) {
			require.Equal(t, string(raw), text)
		}
	})
}

func FuzzReference(f *testing.F) {
	for _, s := range []string{"abc", "ab cab", "é<end>  abc<end>bc", "aaabbbccc", "<end", "   "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		standard, err := letters.Tokenize(text)
		require.NoError(t, err)
		if len(standard) == 0 {
			return
		}
		for _, server := range []*toy{words, newToy("abcab", "c a", "a", "b", "c", " ", "é", "e", "n", "d", "</s>")} {
			p := newPair(t, server, letters)
			prepared, err := p.Prepare(standard, Reference)
			require.NoError(t, err)
			rows := make([][]float32, len(prepared.Tokens()))
			for i, token := range prepared.Tokens() {
				rows[i] = make([]float32, server.Size())
				rows[i][token] = 3
			}
			for _, row := range collect(t, prepared.Distributions, recordedModel(rows), len(standard)) {
				require.InDelta(t, 1, total(row), 1e-5)
			}
		}
	})
}

// FuzzAlign aligns any two ways to cut a text.
func FuzzAlign(f *testing.F) {
	f.Add([]byte{3, 6, 3}, []byte{2, 4, 6})
	f.Add([]byte{0, 0, 1}, []byte{1, 0})
	f.Add([]byte{9}, []byte{1, 1, 1, 1})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		if len(a) == 0 || len(b) == 0 {
			return
		}
		server, standard := widths(a), widths(b)
		list := cuts(server, standard)
		rows := aligned(server, list)
		require.Len(t, alignedRows(len(server), list), len(rows))
		found, _ := segments(rows, standard)
		last := segment{right: -1, standardRight: -1}
		for _, s := range found {
			require.Greater(t, s.right, last.right)
			require.Greater(t, s.standardRight, last.standardRight)
			last = s
		}
		require.Equal(t, len(rows), last.right)
		p := newPlan(len(standard), server, standard)
		made := 0
		for _, j := range p.jobs {
			made += j.count
		}
		for _, job := range p.of {
			if job >= 0 {
				made--
			}
		}
		require.Zero(t, made, "every standard row is made by one job at most")
	})
}

func widths(b []byte) []span {
	spans := make([]span, len(b))
	at := 0
	for i, w := range b {
		spans[i] = span{at, at + int(w)}
		at += int(w)
	}
	return spans
}
