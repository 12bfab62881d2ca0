package translate

import "fmt"

// sequences are the tokens, in another vocabulary, of every token of one:
// tokens[first[t]:first[t+1]] are those of token t.
type sequences struct {
	first, tokens []int32
}

func (s sequences) of(t int32) []int32 {
	if t < 0 || int(t)+1 >= len(s.first) {
		return nil
	}
	return s.tokens[s.first[t]:s.first[t+1]:s.first[t+1]]
}

// spell makes the sequences of n tokens. tokens is called from several goroutines.
func spell(n int, tokens func(t int32) ([]int32, error)) (sequences, error) {
	all := make([][]int32, n)
	err := parallel(n, func(t int) (err error) {
		if all[t], err = tokens(int32(t)); err != nil {
			err = fmt.Errorf("spell token %d in the other vocabulary: %w", t, err)
		}
		return err
	})
	if err != nil {
		return sequences{}, err
	}
	s := sequences{first: make([]int32, 1, n+1), tokens: make([]int32, 0, n+n/2)}
	for _, one := range all {
		s.tokens = append(s.tokens, one...)
		s.first = append(s.first, int32(len(s.tokens)))
	}
	return s, nil
}
