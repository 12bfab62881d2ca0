package npy_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/npy"
)

// cases are arrays with the shape as Python spells it.
var cases = []struct {
	descr string
	shape []int
	tuple string
	data  []byte
}{
	{"<f4", []int{2, 3}, "(2, 3)", make([]byte, 24)},
	{"<i8", []int{3}, "(3,)", binary.LittleEndian.AppendUint64(make([]byte, 16), 1<<40)},
	{"<f8", nil, "()", make([]byte, 8)},
	{"|u1", []int{0, 5}, "(0, 5)", nil},
	{"<f2", []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2}, "(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2)", []byte{1, 2, 3, 4}},
}

// The definition, in the words of numpy's documentation: six bytes of magic, two of
// version, two of the header's length in little endian, then an ASCII literal of a
// dictionary with the keys descr, fortran_order and shape, ended by a newline and padded
// with blanks so that all before the data is divisible by 64; then the data.
func TestFormat(t *testing.T) {
	for _, c := range cases {
		t.Run(c.tuple, func(t *testing.T) {
			var out bytes.Buffer
			require.NoError(t, npy.Write(&out, c.descr, c.shape, c.data))
			b := out.Bytes()
			require.Equal(t, "\x93NUMPY", string(b[:6]))
			require.Equal(t, []byte{1, 0}, b[6:8])
			end := 10 + int(binary.LittleEndian.Uint16(b[8:]))
			require.Zero(t, end%64)
			want := fmt.Sprintf(`^\{'descr': '%s', 'fortran_order': False, 'shape': %s, \} *\n$`,
				regexp.QuoteMeta(c.descr), regexp.QuoteMeta(c.tuple))
			require.Regexp(t, want, string(b[10:end]))
			require.True(t, bytes.Equal(c.data, b[end:]))
		})
	}
}

func TestFirstBytes(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, npy.Write(&out, "<f4", []int{1}, []byte{0, 0, 0x80, 0x3f}))
	dict := "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }"
	require.Equal(t, "\x93NUMPY\x01\x00\x76\x00"+dict+strings.Repeat(" ", 0x76-1-len(dict))+"\n\x00\x00\x80\x3f", out.String())
}

func TestNumpyReadsIt(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy").Run() != nil {
		t.Skip("no numpy here")
	}
	for i, c := range cases {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i, ".npy"))
		var out bytes.Buffer
		require.NoError(t, npy.Write(&out, c.descr, c.shape, c.data))
		script := "import numpy, sys; a = numpy.load(sys.argv[1]); print(a.dtype.str, a.shape, a.tobytes().hex())"
		require.NoError(t, os.WriteFile(path, out.Bytes(), 0o644))
		said, err := exec.Command("python3", "-c", script, path).CombinedOutput()
		require.NoError(t, err, string(said))
		require.Equal(t, fmt.Sprintf("%s %s %x", c.descr, c.tuple, c.data), strings.TrimRight(string(said), "\n"))
	}
}

func TestWhatIsNoArray(t *testing.T) {
	for _, c := range []struct {
		descr string
		shape []int
		size  int
	}{
		{"<f4", []int{2}, 7}, {"<f4", []int{-1}, 4}, {"", nil, 0}, {"f4", []int{1}, 4}, {"<f", []int{1}, 4}, {">f4", []int{1}, 4}, {"<f0", []int{1}, 0},
		{"<f8", []int{1 << 30, 1 << 30, 1 << 30}, 8},
	} {
		require.ErrorIs(t, npy.Write(&bytes.Buffer{}, c.descr, c.shape, make([]byte, c.size)), npy.ErrArray, "%+v", c)
	}
}
