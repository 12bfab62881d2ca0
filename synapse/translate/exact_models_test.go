//go:build cgo

package translate

import (
	"context"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// counts is a language model over a vocabulary: it has counted what follows what,
// up to three tokens back, and interpolates (absolute discounting, Kneser and Ney
// 1995, with plain counts at the bottom). It is what rows of a trained model are
// for vocabularies of which the repository has none.
type counts struct {
	size   int
	bottom []float64
	orders [order]map[[order]int32]*follow
}

const (
	order    = 3
	discount = 0.75
)

type follow struct {
	total int
	after map[int32]int
}

// learn counts documents.
func learn(size int, documents [][]int32) *counts {
	c := &counts{size: size, bottom: make([]float64, size)}
	total := 0
	for n := range c.orders {
		c.orders[n] = make(map[[order]int32]*follow)
	}
	for _, d := range documents {
		for i, t := range d {
			c.bottom[t]++
			total++
			for n := 0; n < order && n < i; n++ {
				c.count(n, d[:i], t)
			}
		}
	}
	for t := range c.bottom {
		c.bottom[t] = (c.bottom[t] + 0.01) / (float64(total) + 0.01*float64(size))
	}
	return c
}

// key is the last n+1 tokens.
func key(n int, before []int32) (k [order]int32) {
	for i := range k {
		k[i] = -1
	}
	copy(k[:], before[len(before)-n-1:])
	return k
}

func (c *counts) count(n int, before []int32, t int32) {
	k := key(n, before)
	f := c.orders[n][k]
	if f == nil {
		f = &follow{after: make(map[int32]int)}
		c.orders[n][k] = f
	}
	f.total++
	f.after[t]++
}

// row is the logits of what follows some tokens.
func (c *counts) row(before []int32, out []float32) {
	probs := slices.Clone(c.bottom)
	for n := 0; n < order && n < len(before); n++ {
		f := c.orders[n][key(n, before)]
		if f == nil {
			break
		}
		back := discount * float64(len(f.after)) / float64(f.total)
		for t := range probs {
			probs[t] *= back
		}
		for t, k := range f.after {
			probs[t] += (float64(k) - discount) / float64(f.total)
		}
	}
	for t, p := range probs {
		out[t] = float32(math.Log(p))
	}
}

func (c *counts) rows(_ context.Context, tokens []int32, positions []int, each func(int, []float32) error) error {
	if positions == nil {
		for i := range tokens {
			positions = append(positions, i)
		}
	}
	row := make([]float32, c.size)
	for _, p := range positions {
		c.row(tokens[:p+1], row)
		if err := each(p, row); err != nil {
			return err
		}
	}
	return nil
}

// corpus is what the models learn from: the comments of Go's own packages, without
// what is in the held-out text, and every other pair of paragraphs of testdata/mixed.txt.
func corpus(t testing.TB, heldOut string, limit int) (documents []string) {
	t.Helper()
	total := 0
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	require.NoError(t, err)
	root := filepath.Join(strings.TrimSpace(string(goroot)), "src")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text := comments(string(b), heldOut)
		if total += len(text); text != "" {
			documents = append(documents, text)
		}
		if total > limit {
			return fs.SkipAll
		}
		return nil
	})
	require.NoError(t, err)
	return documents
}

// comments are those of a source file, each a paragraph in one line.
func comments(source, heldOut string) string {
	var out, paragraph strings.Builder
	flush := func() {
		if p := strings.TrimSpace(paragraph.String()); len(p) > 60 && !strings.Contains(heldOut, p[:50]) {
			out.WriteString(p + "\n\n")
		}
		paragraph.Reset()
	}
	for line := range strings.Lines(source) {
		words, ok := strings.CutPrefix(strings.TrimSpace(line), "// ")
		if !ok || strings.HasPrefix(words, "Copyright") || strings.HasPrefix(words, "Use of this") || strings.HasPrefix(words, "license that") {
			flush()
			continue
		}
		paragraph.WriteString(words + " ")
	}
	flush()
	return out.String()
}

// mixed splits testdata/mixed.txt: of four paragraphs the first two are for
// learning, the others resemble them and are held out.
func mixed(t testing.TB) (learning, heldOut []string) {
	t.Helper()
	b, err := os.ReadFile("testdata/mixed.txt")
	require.NoError(t, err)
	for i, p := range strings.Split(strings.TrimSpace(string(b)), "\n\n") {
		if i%4 < 2 {
			learning = append(learning, p)
		} else {
			heldOut = append(heldOut, p)
		}
	}
	return learning, heldOut
}
