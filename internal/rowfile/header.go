package rowfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"axon/kernels/pack"
)

const (
	magic     = "AXLOGITS"
	version   = 1
	prefixLen = len(magic) + 8 // with the version and the length of the JSON
	crcLen    = 4

	maxHeader = 1 << 20 // bytes of JSON
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header says what the rows of a file are of. Two files with equal headers, but
// for what [Header.Differences] passes over, hold the same rows.
type Header struct {
	Model       string `json:"model"`       // a name for people
	Fingerprint string `json:"fingerprint"` // what identifies the weights; compared, not understood
	Vocab       int    `json:"vocab"`       // tokens of the vocabulary
	K           int    `json:"k"`           // entries of a row, 1 … Vocab
	// Mode, KL (nats) and MaxStep (nats) are those of pack.Params; the last two only
	// for quantised rows.
	Mode    string  `json:"mode"`
	KL      float64 `json:"kl,omitempty"`
	MaxStep float64 `json:"max_step,omitempty"`

	Window  int `json:"window"`  // tokens that the model saw at once
	Overlap int `json:"overlap"` // tokens that a window shares with the one before it, 1 … Window-1
	// BOS is the token that stood in place of the first of each window; -1: none.
	BOS       int32 `json:"bos"`
	ChunkRows int   `json:"chunk_rows"` // rows of a chunk at most

	Text       string `json:"text"`       // a name for people
	TextBytes  int64  `json:"text_bytes"` // its size
	Tokens     uint64 `json:"tokens"`     // its number of tokens, at least 2
	FirstToken int32  `json:"first_token"`
	TokensHash string `json:"tokens_hash"` // what identifies them; compared, not understood

	// Settings are further ones that change rows, by name; compared, not understood.
	Settings map[string]string `json:"settings,omitempty"`
	Tool     string            `json:"tool"` // the program that began the file
}

// maxTokens leaves room for arithmetic.
const maxTokens = 1 << 48

// maxChunkRows bounds Header.ChunkRows.
const maxChunkRows = 1 << 16

// Rows is the number of rows of a finished file: one for each token but the last,
// after which nothing came.
func (h *Header) Rows() uint64 { return h.Tokens - 1 }

// Params are those that the rows are packed with.
func (h *Header) Params() (pack.Params, error) {
	p := pack.Params{Vocab: h.Vocab, KL: h.KL, MaxStep: h.MaxStep}
	mode, ok := ParseMode(h.Mode)
	if !ok {
		return p, fmt.Errorf("%w: mode %q is unknown", ErrHeader, h.Mode)
	}
	p.Mode = mode
	return p, p.Validate()
}

// ParseMode finds a mode of packing by its name.
func ParseMode(name string) (pack.Mode, bool) {
	for _, m := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		if m.String() == name {
			return m, true
		}
	}
	return 0, false
}

// Validate lists all faults of the header at once; each wraps ErrHeader.
func (h *Header) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("%w: "+format, append([]any{ErrHeader}, args...)...))
		}
	}
	_, err := h.Params()
	check(err == nil, "%v", err)
	check(h.K >= 1 && h.K <= h.Vocab, "top %d of %d tokens", h.K, h.Vocab)
	check(h.Window >= 2 && h.Overlap >= 1 && h.Overlap < h.Window, "windows of %d tokens that share %d", h.Window, h.Overlap)
	check(h.ChunkRows >= 1 && h.ChunkRows <= maxChunkRows, "chunks of %d rows: must be 1 … %d", h.ChunkRows, maxChunkRows)
	check(h.Tokens >= 2 && h.Tokens <= maxTokens, "%d tokens: must be 2 … %d", h.Tokens, uint64(maxTokens))
	check(h.BOS >= -1 && int(h.BOS) < h.Vocab, "token %d for the beginning is outside the vocabulary of %d", h.BOS, h.Vocab)
	check(h.FirstToken >= 0 && int(h.FirstToken) < h.Vocab, "first token %d is outside the vocabulary of %d", h.FirstToken, h.Vocab)
	check(h.TextBytes >= 0, "text of %d bytes", h.TextBytes)
	return errors.Join(faults...)
}

// Differences says, one line each, in what a file differs from what is wanted, as
// far as that changes rows: names and the program may be others, and so may the
// number of rows in a chunk.
func (h *Header) Differences(want *Header) []string {
	var list []string
	differ := func(what string, has, wants any) {
		if has != wants {
			list = append(list, fmt.Sprintf("%s is %v, not %v", what, has, wants))
		}
	}
	if h.Fingerprint != want.Fingerprint {
		list = append(list, fmt.Sprintf("its model is %s with other weights than %s", h.Model, want.Model))
	}
	if h.Tokens != want.Tokens || h.TokensHash != want.TokensHash || h.FirstToken != want.FirstToken {
		list = append(list, fmt.Sprintf("its text is %s with %d tokens, not %s with %d", h.Text, h.Tokens, want.Text, want.Tokens))
	}
	differ("its vocabulary", h.Vocab, want.Vocab)
	differ("its top-k", h.K, want.K)
	differ("its mode", h.Mode, want.Mode)
	differ("its kl", h.KL, want.KL)
	differ("its max-step", h.MaxStep, want.MaxStep)
	differ("its window", h.Window, want.Window)
	differ("the overlap of its windows", h.Overlap, want.Overlap)
	differ("its token at the beginning of windows", h.BOS, want.BOS)
	for _, name := range settingNames(h.Settings, want.Settings) {
		differ("its "+name, orDefault(h.Settings[name]), orDefault(want.Settings[name]))
	}
	return list
}

func orDefault(s string) string {
	if s == "" {
		return "the default"
	}
	return s
}

func settingNames(maps ...map[string]string) []string {
	var names []string
	for _, m := range maps {
		for name := range m {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// encode gives the bytes that a file begins with.
func (h *Header) encode() ([]byte, error) {
	if err := h.Validate(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	if len(text) > maxHeader {
		return nil, fmt.Errorf("%w: %d bytes exceed %d", ErrHeader, len(text), maxHeader)
	}
	b := binary.LittleEndian.AppendUint32([]byte(magic), version)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	b = append(b, text...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// readHeader reads and checks a header, and gives its checksum.
func readHeader(s *source) (*Header, uint32, error) {
	b := make([]byte, prefixLen)
	n, err := s.fill(b)
	switch {
	case n > 0 && !bytes.HasPrefix([]byte(magic), b[:min(n, len(magic))]):
		return nil, 0, &Error{Kind: ErrFormat, Text: "no file of rows begins like this"}
	case err != nil:
		return nil, 0, headerCut(err)
	}
	size := binary.LittleEndian.Uint32(b[len(magic)+4:])
	if v := binary.LittleEndian.Uint32(b[len(magic):]); v != version {
		return nil, 0, &Error{Kind: ErrVersion, Text: fmt.Sprintf("version %d; version %d is known here", v, version)}
	}
	if size > maxHeader {
		return nil, 0, &Error{Kind: ErrCorrupt, Text: fmt.Sprintf("header of %d bytes exceeds %d", size, maxHeader)}
	}
	if b, err = s.grow(b, int(size)+crcLen); err != nil {
		return nil, 0, headerCut(err)
	}
	body := b[:len(b)-crcLen]
	sum := binary.LittleEndian.Uint32(b[len(body):])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, 0, &Error{Kind: ErrCorrupt, Text: "checksum of the header does not match"}
	}
	h := new(Header)
	if err := json.Unmarshal(body[prefixLen:], h); err != nil {
		return nil, 0, &Error{Kind: ErrHeader, Text: err.Error()}
	}
	if err := h.Validate(); err != nil {
		return nil, 0, &Error{Kind: ErrHeader, Text: err.Error()}
	}
	return h, sum, nil
}

func headerCut(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Error{Kind: ErrUnfinished, Text: "it ends within the header"}
	}
	return err
}
