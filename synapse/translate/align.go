package translate

// span is a token's place in a text: characters left … right−1.
type span struct{ left, right int }

// cut is a token of the server that has to be split, and the depths at which: in
// characters from its left edge.
type cut struct {
	token  int
	depths []int
}

// segment is a piece of text that either tokenizer cuts into several tokens, but
// not both. Tokens are counted from its end: of the server those before right,
// of the standard ones those before standardRight. A token that ends where the one
// before it ends overlaps it: a character was cut into several tokens.
type segment struct {
	right, standardRight     int // index of the last token
	count, standardCount     int // tokens, not counting …
	overlap, standardOverlap int // … those that overlap
}

// edges walks over the right edges of tokens.
type edges struct {
	spans   []span
	at      int // the last token that ends at the edge
	right   int // the edge
	count   int // edges since the segment began
	overlap int // tokens passed over because they end where the next one ends
}

func newEdges(spans []span) *edges {
	e := &edges{spans: spans, right: spans[0].right, count: 1}
	e.skip()
	return e
}

func (e *edges) in() bool { return e.at < len(e.spans) }

func (e *edges) next() {
	e.at++
	if e.in() {
		e.right = e.spans[e.at].right
		e.count++
	}
	e.skip()
}

func (e *edges) skip() {
	for e.at+1 < len(e.spans) && e.spans[e.at+1].right == e.right {
		e.at++
		e.overlap++
	}
}

// begin starts a segment after an edge that both have.
func (e *edges) begin() {
	e.overlap = 0
	e.next()
	e.count = 1
}

// cuts finds the fewest splits of the server's tokens that leave no segment with
// several tokens on both sides, greedily from left to right. Neither list may be
// empty.
func cuts(server, standard []span) (list []cut) {
	add := func(token, depth int) {
		if n := len(list); n > 0 && list[n-1].token == token {
			list[n-1].depths = append(list[n-1].depths, depth)
			return
		}
		list = append(list, cut{token, []int{depth}})
	}
	s, t := newEdges(server), newEdges(standard)
	for s.in() && t.in() {
		switch {
		case s.right < t.right && s.count == 1 && t.count > 1:
			add(s.at, standard[t.at].left-server[s.at].left)
			t.count = 1
		case s.right < t.right:
			s.next()
		case t.right < s.right:
			if t.count == 1 && s.count > 1 {
				add(s.at, t.right-server[s.at].left)
				s.count, t.count = 1, 0
			}
			t.next()
		default:
			s.begin()
			t.begin()
		}
	}
	return list
}

// aligned are the server's spans after the cuts.
func aligned(server []span, list []cut) []span {
	var out []span
	from := 0
	for _, c := range list {
		out = append(out, server[from:c.token]...)
		left := server[c.token].left
		edge := left
		for _, depth := range c.depths {
			out = append(out, span{edge, left + depth})
			edge = left + depth
		}
		out = append(out, span{edge, server[c.token].right})
		from = c.token + 1
	}
	return append(out, server[from:]...)
}

// segments finds where the two tokenisations have an edge in common, and how often
// one was missing where it had to be. The last segment stands for what follows the
// text. Neither list may be empty.
func segments(server, standard []span) (list []segment, missing int) {
	s, t := newEdges(server), newEdges(standard)
	for s.in() && t.in() {
		switch {
		case s.right < t.right:
			if s.count == 1 && t.count > 1 {
				missing++
			}
			s.next()
		case t.right < s.right:
			if t.count == 1 && s.count > 1 {
				missing++
			}
			t.next()
		default:
			list = append(list, segment{s.at, t.at, s.count, t.count, s.overlap, t.overlap})
			s.begin()
			t.begin()
		}
	}
	return append(list, segment{len(server), len(standard), 1, 1, 0, 0}), missing
}
