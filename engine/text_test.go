package engine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTextStream(t *testing.T) {
	for _, c := range []struct {
		name    string
		stops   []string
		pieces  []string
		shown   []string
		stopped bool
		rest    string
	}{
		{"plain", nil, []string{"a", "b"}, []string{"a", "b"}, false, ""},
		{"a character over two pieces", nil, []string{"\xc3", "\xa9!"}, []string{"", "é!"}, false, ""},
		{"bytes that are no text are shown in the end", nil, []string{"\xe6\x97"}, []string{""}, false, "\xe6\x97"},
		{"a byte that cannot start a character is not held", nil, []string{"\xa9"}, []string{"\xa9"}, false, ""},
		{"stop within a piece", []string{"STOP"}, []string{"abSTOPcd"}, []string{"ab"}, true, ""},
		{"stop over pieces", []string{"STOP"}, []string{"aS", "TO", "Pz"}, []string{"a", "", ""}, true, ""},
		{"almost a stop", []string{"STOP"}, []string{"aST", "Ox"}, []string{"a", "STOx"}, false, ""},
		{"held to the end", []string{"STOP"}, []string{"aST"}, []string{"a"}, false, "ST"},
		{"the first of two", []string{"xx", "b"}, []string{"abxx"}, []string{"a"}, true, ""},
		{"overlapping starts", []string{"aab"}, []string{"aa", "ab"}, []string{"", "a"}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := textStream{stops: c.stops}
			stopped := false
			for i, p := range c.pieces {
				var show string
				show, stopped = s.push([]byte(p))
				require.Equal(t, c.shown[i], show, "piece %d", i)
			}
			require.Equal(t, c.stopped, stopped)
			require.Equal(t, c.rest, s.flush())
			require.Equal(t, strings.Join(c.shown, "")+c.rest, s.text.String())
		})
	}
}

func TestBannedByNGram(t *testing.T) {
	tokens := []Token{1, 2, 3, 1, 2, 4, 1, 2}
	require.Equal(t, []Token{3, 4}, bannedByNGram(nil, tokens, 3))
	require.Equal(t, []Token{3, 4}, bannedByNGram(nil, tokens, 2))
	require.Equal(t, tokens, bannedByNGram(nil, tokens, 1))
	require.Empty(t, bannedByNGram(nil, tokens, 0))
	require.Empty(t, bannedByNGram(nil, tokens[:2], 3))
}

func TestScoreWindows(t *testing.T) {
	all := func(n int) []Token { return make([]Token, n) }
	for _, c := range []struct {
		name string
		req  ScoreRequest
		want []window
	}{
		{"side by side, the rest left out", ScoreRequest{Tokens: all(25), Window: 10, Skip: 5}, []window{{0, 10, 6}, {10, 20, 16}}},
		{"shorter than a window", ScoreRequest{Tokens: all(6), Window: 10, Skip: 5}, []window{{0, 6, 4}}},
		{"two tokens", ScoreRequest{Tokens: all(2), Window: 10, Skip: 5}, []window{{0, 2, 1}}},
		{"whole", ScoreRequest{Tokens: all(25), Window: 10, Skip: 4, Whole: true}, []window{{0, 10, 1}, {6, 16, 10}, {12, 22, 16}, {18, 25, 22}}},
		{"whole without context", ScoreRequest{Tokens: all(5), Window: 3, Whole: true}, []window{{0, 3, 1}, {2, 5, 3}}},
	} {
		got, err := c.req.windows()
		require.NoError(t, err)
		require.Equal(t, c.want, got, c.name)
	}
	for _, r := range []ScoreRequest{{Tokens: all(1), Window: 10}, {Tokens: all(9), Window: 1}, {Tokens: all(9), Window: 4, Skip: 3}, {Tokens: all(9), Window: 4, Skip: -1}} {
		_, err := r.windows()
		require.ErrorIs(t, err, ErrRequest)
	}
}

func TestOptionsListAllFaults(t *testing.T) {
	o := Options{Context: -1, Sequences: 1000, FlashAttention: "maybe", CacheTypeK: "q9", RopeScaling: "x"}
	err := o.Validate()
	require.ErrorIs(t, err, ErrRequest)
	for _, word := range []string{"context", "1000 sequences", "maybe", "q9", `"x"`} {
		require.ErrorContains(t, err, word)
	}
	require.NoError(t, (&Options{}).Validate())
}
