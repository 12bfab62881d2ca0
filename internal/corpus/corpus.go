package corpus

import "context"

// Corpus gives windows of text. What belongs to files may be called from many
// goroutines; a stream gives one goroutine after the other what comes next.
type Corpus interface {
	// Draw gives the n windows that follow position p, and the position behind
	// them. The same position gives the same windows, in every process.
	//
	// What was drawn before an error stands beside it; next is then behind what
	// could not be read, so that a caller may choose to go on. At the end of a
	// stream the error is io.EOF, with the windows that were left.
	Draw(ctx context.Context, p Position, n int) (windows [][]int32, next Position, err error)
	// Fingerprint changes with whatever gives positions another meaning: names, sizes
	// and times of files, and options. Streams have none, but "stream".
	Fingerprint() string
	// Size says how much text there is.
	Size() Size
	// Close ends what reads a stream. A read that waits for the stream ends with it.
	Close() error
}

// Position is how far a corpus was drawn from. The zero value is the beginning.
type Position struct {
	// Epoch counts how often all slots were drawn: texts repeat when it is above 0.
	Epoch uint64 `json:"epoch"`
	// Slot is the number of slots drawn in this epoch, whether or not they held a window.
	Slot uint64 `json:"slot"`
}

// Size is how much text a corpus has. Nothing is known of a stream.
type Size struct {
	Files   int   // that hold text
	Skipped int   // what folders hold besides: hidden, empty, binary, no regular files
	Bytes   int64 // of these files
	Windows int64 // that an epoch has at most: one for each slot
}

// Open finds the texts. It reads names, sizes, and the beginnings of files, but no
// file as a whole.
func Open(ctx context.Context, o Options) (Corpus, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.stream() {
		return newStream(o), nil
	}
	return openFiles(ctx, o)
}
