package translate

import (
	"bytes"
	"cmp"
	"slices"
)

// trie has the tokens of a vocabulary in the order of their bytes, and a node for
// every start of them. The tokens that begin with the bytes of a node lie side by
// side: order[lo:hi] of the node.
type trie struct {
	order []int32
	nodes []trieNode
	label []byte // the last byte of each node
}

type trieNode struct {
	lo, hi   int32 // of order
	children int32 // the first of them; they lie side by side
	degree   int16
	token    int32 // the first that ends here, none: -1
}

const (
	root   int32 = 0
	noNode int32 = -1
)

// newTrie sorts the tokens that have bytes.
func newTrie(pieces [][]byte) trie {
	var t trie
	for token, piece := range pieces {
		if len(piece) > 0 {
			t.order = append(t.order, int32(token))
		}
	}
	slices.SortFunc(t.order, func(a, b int32) int {
		return cmp.Or(bytes.Compare(pieces[a], pieces[b]), cmp.Compare(a, b))
	})
	t.nodes = append(t.nodes, trieNode{hi: int32(len(t.order)), token: -1})
	t.label = append(t.label, 0)
	// Nodes are made level by level, so that siblings are neighbours.
	for depth, from := 0, 0; from < len(t.nodes); depth++ {
		end := len(t.nodes)
		for ; from < end; from++ {
			t.branch(from, depth, pieces)
		}
	}
	return t
}

// branch makes the children of a node.
func (t *trie) branch(node, depth int, pieces [][]byte) {
	n := t.nodes[node]
	lo := n.lo
	for ; lo < n.hi && len(pieces[t.order[lo]]) == depth; lo++ {
		if n.token < 0 {
			n.token = t.order[lo]
		}
	}
	n.children = int32(len(t.nodes))
	for lo < n.hi {
		b, hi := pieces[t.order[lo]][depth], lo+1
		for hi < n.hi && pieces[t.order[hi]][depth] == b {
			hi++
		}
		t.nodes = append(t.nodes, trieNode{lo: lo, hi: hi, token: -1})
		t.label = append(t.label, b)
		n.degree++
		lo = hi
	}
	t.nodes[node] = n
}

// child is the node one byte further, noNode if no token goes on like that.
func (t *trie) child(node int32, b byte) int32 {
	n := &t.nodes[node]
	labels := t.label[n.children:][:n.degree]
	if i, ok := slices.BinarySearch(labels, b); ok {
		return n.children + int32(i)
	}
	return noNode
}

// find is the node of some bytes.
func (t *trie) find(b []byte) int32 {
	node := root
	for i := 0; i < len(b) && node != noNode; i++ {
		node = t.child(node, b[i])
	}
	return node
}

// longest is the longest token that b begins with, -1 if there is none.
func (t *trie) longest(b []byte) (token int32) {
	token = -1
	node := root
	for i := 0; i < len(b); i++ {
		if node = t.child(node, b[i]); node == noNode {
			break
		}
		if found := t.nodes[node].token; found >= 0 {
			token = found
		}
	}
	return token
}

// longer goes through what both tries have below a node of each: to f come the
// nodes of other at which t has a token, the nearest ones, and how many bytes
// below the first node they lie.
func (t *trie) longer(node int32, other *trie, at int32, depth int, f func(at int32, depth int)) {
	a, b := t.nodes[node], other.nodes[at]
	i, j := a.children, b.children
	for i < a.children+int32(a.degree) && j < b.children+int32(b.degree) {
		switch la, lb := t.label[i], other.label[j]; {
		case la < lb:
			i++
			continue
		case la > lb:
			j++
			continue
		}
		if t.nodes[i].token >= 0 {
			f(j, depth+1)
		} else {
			t.longer(i, other, j, depth+1, f)
		}
		i, j = i+1, j+1
	}
}
