package translate

import "sync"

// extent is the part of a token's text between two depths, in characters. As in
// the reference's language a negative depth counts from the end.
type extent struct{ from, to int }

// untilEnd is where the last part of a text ends.
const untilEnd = int(^uint(0) >> 1)

// extents are the parts that depths cut a token into.
func extents(depths []int) []extent {
	parts := make([]extent, 0, len(depths)+1)
	from := 0
	for _, depth := range append(depths[:len(depths):len(depths)], untilEnd) {
		parts = append(parts, extent{from, depth})
		from = depth
	}
	return parts
}

func (e extent) of(text []rune) string {
	place := func(depth int) int {
		if depth < 0 {
			depth += len(text)
		}
		return max(0, min(depth, len(text)))
	}
	if from, to := place(e.from), place(e.to); from < to {
		return string(text[from:to])
	}
	return ""
}

// maxParts bounds how many tables stay in memory, since texts choose them. Each
// has as many entries as the server's vocabulary tokens that reach into the part.
const maxParts = 64

// parts are tables of what a part of every token of the server begins with: the
// first token of the server's that the part is tokenised to.
type parts struct {
	server *reader
	mu     sync.Mutex
	tables map[extent]step
	order  []extent // the oldest first
}

func newParts(server *reader) *parts {
	return &parts{server: server, tables: make(map[extent]step)}
}

func (p *parts) table(e extent) (step, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t, ok := p.tables[e]; ok {
		return t, nil
	}
	t, err := p.make(e)
	if err != nil {
		return step{}, err
	}
	if len(p.order) == maxParts {
		delete(p.tables, p.order[0])
		p.order = p.order[1:]
	}
	p.tables[e] = t
	p.order = append(p.order, e)
	return t, nil
}

func (p *parts) make(e extent) (t step, err error) {
	first := map[string]int32{} // many tokens have a part in common
	for token := range int32(p.server.Size()) {
		part := e.of([]rune(p.server.decode(token)))
		to, known := first[part]
		if !known {
			if to, err = p.first(part); err != nil {
				return step{}, err
			}
			first[part] = to
		}
		if to >= 0 {
			t.from, t.to = append(t.from, token), append(t.to, to)
		}
	}
	return t, nil
}

// first is the first token of a text, -1 if it has none.
func (p *parts) first(text string) (int32, error) {
	tokens, err := p.server.encodePhrase(text)
	if err != nil || len(tokens) == 0 {
		return -1, err
	}
	return tokens[0], nil
}
