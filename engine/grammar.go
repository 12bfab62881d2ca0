package engine

import (
	"fmt"
	"strings"
)

// Bounds on grammars: llama.cpp reads groups recursively, and would exhaust
// its stack on deep ones.
const (
	maxGrammar      = 1 << 20 // bytes
	maxGrammarDepth = 200
)

// checkGrammar refuses GBNF that llama.cpp would not survive.
func checkGrammar(g string) error {
	switch {
	case len(g) > maxGrammar:
		return fmt.Errorf("grammar of %d bytes exceeds the limit %d", len(g), maxGrammar)
	case strings.ContainsRune(g, 0):
		return fmt.Errorf("grammar contains a NUL byte at %d", strings.IndexByte(g, 0))
	}
	if depth, at := grammarDepth(g); depth > maxGrammarDepth {
		return fmt.Errorf("grammar nests groups deeper than %d at byte %d", maxGrammarDepth, at)
	}
	return nil
}

// grammarDepth is the deepest nesting of groups, outside of literals, classes
// and comments, and where it is reached; it stops once beyond the limit.
func grammarDepth(g string) (deepest, at int) {
	depth := 0
	for i := 0; i < len(g) && deepest <= maxGrammarDepth; i++ {
		switch g[i] {
		case '"':
			i = skipTo(g, i+1, '"')
		case '[':
			i = skipTo(g, i+1, ']')
		case '#':
			i = skipTo(g, i+1, '\n')
		case '(':
			if depth++; depth > deepest {
				deepest, at = depth, i
			}
		case ')':
			depth--
		}
	}
	return deepest, at
}

// skipTo is the place of the next unescaped end.
func skipTo(g string, i int, end byte) int {
	for ; i < len(g) && g[i] != end; i++ {
		if g[i] == '\\' {
			i++
		}
	}
	return i
}
