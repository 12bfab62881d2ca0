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

const (
	// maxParts bounds how many tables stay in memory, since texts choose them. Each
	// takes up to 8 bytes for each of the server's tokens.
	maxParts = 64
	// maxRemembered bounds the texts whose first token is remembered.
	maxRemembered = 1 << 18
)

// parts are tables of what a part of every token of the server begins with: the
// first of the tokens that the server's tokenizer makes of the part.
type parts struct {
	server *reader
	mu     sync.Mutex
	tables map[extent]step
	order  []extent // the oldest first
	first  map[string]int32
}

func newParts(server *reader) *parts {
	return &parts{server: server, tables: map[extent]step{}, first: map[string]int32{}}
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
	texts := make([]string, p.server.Size())
	for token := range texts {
		texts[token] = e.of([]rune(p.server.decode(int32(token))))
	}
	first, err := p.firstTokens(texts)
	if err != nil {
		return step{}, err
	}
	for token, text := range texts {
		if to := first[text]; to >= 0 {
			t.from, t.to = append(t.from, int32(token)), append(t.to, to)
		}
	}
	return t, nil
}

// firstTokens are the first tokens of texts, −1 where there is none. Tokens have
// many parts in common, and parts that are tokens.
func (p *parts) firstTokens(texts []string) (map[string]int32, error) {
	first := make(map[string]int32)
	var fresh []string
	for _, text := range texts {
		if _, ok := first[text]; ok {
			continue
		}
		to, known := p.first[text]
		if first[text] = to; !known {
			fresh = append(fresh, text)
		}
	}
	found := make([]int32, len(fresh))
	err := parallel(len(fresh), func(i int) error {
		tokens, err := p.server.encodePhrase(fresh[i])
		found[i] = -1
		if len(tokens) > 0 {
			found[i] = tokens[0]
		}
		return err
	})
	for i, text := range fresh {
		first[text] = found[i]
		if err == nil && len(p.first) < maxRemembered {
			p.first[text] = found[i]
		}
	}
	return first, err
}
