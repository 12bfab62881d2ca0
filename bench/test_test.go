package bench

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesAreLlamaBenchs(t *testing.T) {
	for name, test := range map[string]Test{
		"pp512":           {Prompt: 512},
		"tg128":           {Gen: 128},
		"tg128 x8":        {Gen: 128, Parallel: 8},
		"pp512+tg128":     {Prompt: 512, Gen: 128, Parallel: 1},
		"pp64 @ d256":     {Prompt: 64, Depth: 256},
		"tg32 @ d256 x16": {Gen: 32, Depth: 256, Parallel: 16},
	} {
		require.Equal(t, name, test.Name())
		require.NoError(t, test.Validate(), name)
	}
}

func TestTokensCountWhatIsTimed(t *testing.T) {
	require.Equal(t, 512, Test{Prompt: 512, Depth: 100}.Tokens())
	require.Equal(t, 640, Test{Prompt: 512, Gen: 128}.Tokens())
	require.Equal(t, 1024, Test{Gen: 128, Parallel: 8, Depth: 100}.Tokens())
}

func TestImpossibleTestsAreRefused(t *testing.T) {
	for fault, test := range map[string]Test{
		"neither":          {},
		"negative":         {Prompt: -1, Gen: 2},
		"at least 16":      {Prompt: 1, Depth: 15},
		"without a prompt": {Prompt: 1, Gen: 1, Parallel: 2},
	} {
		require.ErrorContains(t, test.Validate(), fault)
	}
}

func TestGridLeavesZerosOut(t *testing.T) {
	g := Grid{Prompts: []int{0, 512}, Gens: []int{0, 128}, Pairs: [][2]int{{64, 32}}, Depths: []int{0, 16}, Parallels: []int{1, 8}}
	var names []string
	for _, test := range g.Tests() {
		names = append(names, test.Name())
	}
	require.Equal(t, []string{
		"pp512", "tg128", "tg128 x8", "pp64+tg32",
		"pp512 @ d16", "tg128 @ d16", "tg128 @ d16 x8", "pp64+tg32 @ d16",
	}, names)
}
