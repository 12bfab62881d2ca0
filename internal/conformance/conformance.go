// Package conformance reads the recordings of the reference that tests compare
// with. They lie outside the project: in the folder that AXON_CONFORMANCE names,
// by default shared/conformance beside the checkout. Tests skip without them.
package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Env names the variable that says where the recordings are.
const Env = "AXON_CONFORMANCE"

// Folder is one folder of recordings.
type Folder struct {
	t   testing.TB
	dir string
}

// Open finds a folder such as a_serializer, or skips the test.
func Open(t testing.TB, name string) Folder {
	t.Helper()
	root := os.Getenv(Env)
	if root == "" {
		root = besideCheckout()
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(filepath.Join(dir, "cases.json")); err != nil {
		t.Skipf("no recordings (%v); %s names their folder", err, Env)
	}
	return Folder{t, dir}
}

// besideCheckout looks for the module's root upwards from the tests' folder.
func besideCheckout() string {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			return filepath.Join(dir, "..", "shared", "conformance")
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// Cases are a folder's cases, in the form the test expects.
func Cases[Case any](f Folder) []Case {
	f.t.Helper()
	raw, err := os.ReadFile(filepath.Join(f.dir, "cases.json"))
	require.NoError(f.t, err)
	var all struct {
		Cases []Case `json:"cases"`
	}
	require.NoError(f.t, json.Unmarshal(raw, &all))
	require.NotEmpty(f.t, all.Cases)
	return all.Cases
}

// Blob is a whole file.
type Blob struct {
	File string `json:"file"`
}

// Blob reads one.
func (f Folder) Blob(b Blob) []byte {
	f.t.Helper()
	raw, err := os.ReadFile(filepath.Join(f.dir, b.File))
	require.NoError(f.t, err)
	return raw
}

// Array is a recorded tensor: raw little-endian numbers.
type Array struct {
	DType  string `json:"dtype"`
	Shape  []int  `json:"shape"`
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Bytes  int    `json:"nbytes"`
}

// Array reads a tensor's bytes.
func (f Folder) Array(a Array) []byte {
	f.t.Helper()
	file, err := os.Open(filepath.Join(f.dir, a.File))
	require.NoError(f.t, err)
	defer func() { _ = file.Close() }()
	raw := make([]byte, a.Bytes)
	_, err = file.ReadAt(raw, a.Offset)
	require.NoError(f.t, err)
	return raw
}

// Generated stands for float32 numbers that are too many to store.
type Generated struct {
	Generator string  `json:"generator"`
	Seed      uint64  `json:"seed"`
	Scale     float64 `json:"scale"`
}

// Cubic makes n of them, before any of the changes that a case may list.
func (g Generated) Cubic(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		z := g.Seed + uint64(i+1)*0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		z ^= z >> 31
		x := 2*(float64(z>>11)*0x1p-53) - 1
		out[i] = float32(x * x * x * g.Scale)
	}
	return out
}
