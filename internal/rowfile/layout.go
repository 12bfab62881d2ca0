package rowfile

// Window is a run of the text's tokens that the model saw at once, and which of
// the rows were taken from it. Ends are behind the last.
type Window struct {
	Start, End       uint64 // tokens
	FirstRow, EndRow uint64 // rows
}

// WindowOf is the window that a row was taken from. Row r is what the model expected
// after the tokens Start … r. The first window has a row for each of its tokens but
// the last; those after it begin Overlap tokens before the one before them ends,
// and have rows from there on. The last one may be shorter.
func (h *Header) WindowOf(row uint64) Window {
	size, overlap := uint64(h.Window), uint64(h.Overlap)
	i := uint64(0)
	if target := row + 1; target > overlap {
		i = (target - overlap) / (size - overlap)
	}
	w := Window{Start: i * (size - overlap)}
	w.End = min(w.Start+size, h.Tokens)
	if w.EndRow = w.End - 1; i > 0 {
		w.FirstRow = w.Start + overlap - 1
	}
	return w
}

// Windows is the number of windows.
func (h *Header) Windows() uint64 {
	step := uint64(h.Window - h.Overlap)
	return h.WindowOf(h.Rows()-1).Start/step + 1
}
