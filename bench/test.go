package bench

import (
	"errors"
	"fmt"
)

// minDepth is the shortest prefix that the engine takes from its cache.
const minDepth = 16

// Test is one thing to measure.
type Test struct {
	Prompt   int // tokens of a prompt to evaluate
	Gen      int // tokens to generate, after the prompt if there is one
	Depth    int // tokens that are in the KV cache beforehand
	Parallel int // generations at once; 0 and 1: one alone
}

// Name is the test's name, as llama-bench has it: pp512, tg128, pp512+tg128,
// tg128 @ d256. Several generations at once are tg128 x8.
func (t Test) Name() string {
	var s string
	switch {
	case t.Gen == 0:
		s = fmt.Sprintf("pp%d", t.Prompt)
	case t.Prompt == 0:
		s = fmt.Sprintf("tg%d", t.Gen)
	default:
		s = fmt.Sprintf("pp%d+tg%d", t.Prompt, t.Gen)
	}
	if t.Depth > 0 {
		s += fmt.Sprintf(" @ d%d", t.Depth)
	}
	if t.parallel() > 1 {
		s += fmt.Sprintf(" x%d", t.Parallel)
	}
	return s
}

// Tokens is the number of tokens that one run evaluates while the clock runs.
func (t Test) Tokens() int { return t.parallel() * (t.Prompt + t.Gen) }

func (t Test) parallel() int { return max(1, t.Parallel) }

// cells is the number of KV cells that each of the parallel sequences needs:
// one more than it evaluates, for the last token picked is not evaluated.
func (t Test) cells() int { return t.Depth + t.Prompt + t.Gen + 1 }

// Validate lists what is wrong with the test.
func (t Test) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("test %s: "+format, append([]any{t.Name()}, args...)...))
		}
	}
	check(min(t.Prompt, t.Gen, t.Depth, t.Parallel) >= 0, "negative number")
	check(t.Prompt+t.Gen > 0, "neither a prompt nor a generation")
	check(t.Depth == 0 || t.Depth >= minDepth, "depth must be 0 or at least %d", minDepth)
	check(t.parallel() == 1 || t.Prompt == 0, "several at once are for generations without a prompt; use a depth")
	return errors.Join(faults...)
}

// Grid is what flags ask for: lists, as llama-bench takes them.
type Grid struct {
	Prompts, Gens []int
	Pairs         [][2]int // a prompt and the generation after it
	Depths        []int
	Parallels     []int // apply to Gens
}

// Tests are the grid's tests: for each depth first prompts, then generations
// by rising company, then pairs. Zeros among prompts and generations are left
// out, as in llama-bench, where -p 0 means none.
func (g Grid) Tests() []Test {
	var list []Test
	for _, d := range g.Depths {
		for _, p := range g.Prompts {
			list = append(list, Test{Prompt: p, Depth: d})
		}
		for _, n := range g.Gens {
			for _, k := range g.Parallels {
				list = append(list, Test{Gen: n, Depth: d, Parallel: k})
			}
		}
		for _, pg := range g.Pairs {
			list = append(list, Test{Prompt: pg[0], Gen: pg[1], Depth: d})
		}
	}
	kept := list[:0]
	for _, t := range list {
		if t.Prompt != 0 || t.Gen != 0 {
			kept = append(kept, t)
		}
	}
	return kept
}
