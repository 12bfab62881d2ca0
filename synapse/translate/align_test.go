package translate

import (
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/conformance"
)

func toSpans(pairs [][2]int) []span {
	spans := make([]span, len(pairs))
	for i, p := range pairs {
		spans[i] = span{p[0], p[1]}
	}
	return spans
}

func toSegments(list [][6]int) []segment {
	out := make([]segment, len(list))
	for i, s := range list {
		out[i] = segment{s[0], s[1], s[2], s[3], s[4], s[5]}
	}
	return out
}

// recordedCut is [token, [depth, …]].
type recordedCut struct{ cut }

func (c *recordedCut) UnmarshalJSON(b []byte) error {
	return unmarshalTuple(b, &c.token, &c.depths)
}

func toCuts(list []recordedCut) (out []cut) {
	for _, c := range list {
		out = append(out, c.cut)
	}
	return out
}

type alignmentCase struct {
	Name     string
	Offsets  [][2]int
	Standard [][2]int `json:"offsets_std"`
	Error    any      `json:"splits_error"`
	Splits   []recordedCut
	Aligned  [][2]int `json:"aligned_offsets"`
	Mappings [][6]int
	Missing  int      `json:"unaligned_reports"`
	Unsplit  [][6]int `json:"mappings_without_splitting"`
	Missed   int      `json:"unaligned_reports_without_splitting"`
}

func TestRecordedAlignments(t *testing.T) {
	compared := 0
	for _, c := range conformance.Cases[alignmentCase](conformance.Open(t, "g_alignment")) {
		t.Run(c.Name, func(t *testing.T) {
			server, standard := toSpans(c.Offsets), toSpans(c.Standard)
			if c.Error != nil {
				// The reference fails on texts without tokens; they are refused before
				// they are aligned.
				require.True(t, len(server) == 0 || len(standard) == 0)
				compared++
				return
			}
			list := cuts(server, standard)
			require.Equal(t, toCuts(c.Splits), list)
			require.Equal(t, toSpans(c.Aligned), aligned(server, list))
			found, missing := segments(aligned(server, list), standard)
			require.Equal(t, toSegments(c.Mappings), found)
			require.Equal(t, c.Missing, missing)
			found, missing = segments(server, standard)
			require.Equal(t, toSegments(c.Unsplit), found)
			require.Equal(t, c.Missed, missing)
			compared++
		})
	}
	require.NotZero(t, compared)
	t.Logf("%d cases of g_alignment", compared)
}

func TestCutsLeaveNoSegmentWithManyOnBothSides(t *testing.T) {
	server := []span{{0, 3}, {3, 9}, {9, 12}}
	standard := []span{{0, 2}, {2, 6}, {6, 12}}
	list := cuts(server, standard)
	found, missing := segments(aligned(server, list), standard)
	require.Zero(t, missing)
	for _, s := range found {
		require.True(t, s.count == 1 || s.standardCount == 1, "%+v", s)
	}
	require.Equal(t, len(alignedRows(len(server), list)), len(aligned(server, list)))
}
