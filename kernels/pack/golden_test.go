package pack_test

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"axon/kernels/pack"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write testdata anew; only for a new version of the format")

// Version 1 stays what it is: its bytes are kept, and they decode.
func TestGolden(t *testing.T) {
	for _, mode := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		t.Run(mode.String(), func(t *testing.T) {
			file := filepath.Join("testdata", "v1-"+mode.String()+".hex")
			got := small(t, mode)
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(wrap(hex.EncodeToString(got))), 0o644))
			}
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			want, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
			require.NoError(t, err)
			require.Equal(t, want, got)
			for i, row := range decode(t, want) {
				for j, e := range row.Entries {
					require.InDelta(t, smallRows()[i].Entries[j].Value, e.Value, 0.1)
				}
			}
		})
	}
}

// wrap breaks a line after each 32 bytes.
func wrap(s string) string {
	var b strings.Builder
	for ; len(s) > 64; s = s[64:] {
		b.WriteString(s[:64] + "\n")
	}
	return b.String() + s + "\n"
}
