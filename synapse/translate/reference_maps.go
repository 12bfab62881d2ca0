package translate

// unroll says where the probability of a server's token goes when it is translated
// to several standard tokens: at step i to the i-th token of its spelling.
type unroll []step

// step moves probabilities: from[i] → to[i].
type step struct{ from, to []int32 }

func newUnroll(s sequences) (u unroll) {
	for t := range int32(len(s.first) - 1) {
		for i, to := range s.of(t) {
			if i == len(u) {
				u = append(u, step{})
			}
			u[i].from, u[i].to = append(u[i].from, t), append(u[i].to, to)
		}
	}
	return u
}

// add moves the probabilities of one step on top of what is there. A row beyond
// the longest spelling gets nothing.
func (u unroll) add(to, from []float32, i int) {
	if i < len(u) {
		u[i].add(to, from)
	}
}

func (s step) add(to, from []float32) {
	dst := s.to[:len(s.from)]
	for i, f := range s.from {
		to[dst[i]] += from[f]
	}
}

// fold says how several rows of the server make one standard row: a standard
// token's probability is the mean over the tokens of its spelling, of which the
// i-th is looked up in the i-th row and shared among all that have it there.
type fold []shares

// shares are what one row adds: to[i] gets the part[i]-th part of from[i].
type shares struct {
	step
	part []float32
}

// newFold takes the server's spellings of the standard tokens.
func newFold(s sequences) fold {
	f := make(fold, 0, 16)
	for _, st := range newUnroll(s) {
		f = append(f, newShares(s, st))
	}
	return f
}

func newShares(s sequences, st step) shares {
	crossing := make(map[int32]float32) // spellings that have a token at this step
	for _, t := range st.to {
		crossing[t]++
	}
	out := shares{step{from: st.to, to: st.from}, make([]float32, len(st.to))}
	for i, t := range st.to {
		out.part[i] = 1 / (crossing[t] * float32(len(s.of(st.from[i]))))
	}
	return out
}

// add adds the share of the i-th row of a segment.
func (f fold) add(to, row []float32, i int) {
	if i >= len(f) {
		return
	}
	s := f[i]
	dst, part := s.to[:len(s.from)], s.part[:len(s.from)]
	for i, from := range s.from {
		to[dst[i]] += row[from] * part[i]
	}
}

// correct makes a row sum up to 1: one that exceeds it is scaled down, and what
// another lacks is spread evenly.
func correct(row []float32) {
	sum := total(row)
	if sum > 1 {
		scale := float32(1 / sum)
		for i := range row {
			row[i] *= scale
		}
		return
	}
	floor := float32((1 - sum) / float64(len(row)))
	for i := range row {
		row[i] += floor
	}
}

func total(row []float32) float64 {
	var s [4]float64
	for ; len(row) >= 4; row = row[4:] {
		s[0] += float64(row[0])
		s[1] += float64(row[1])
		s[2] += float64(row[2])
		s[3] += float64(row[3])
	}
	for _, v := range row {
		s[0] += float64(v)
	}
	return s[0] + s[1] + s[2] + s[3]
}
