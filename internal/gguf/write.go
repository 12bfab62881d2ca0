package gguf

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Model is a GGUF to be written.
type Model struct {
	// KVs are written in this order. general.alignment, if present, must be of type uint32.
	KVs []KV
	// Tensors are laid out in this order.
	Tensors []Source
}

// Source is a tensor to be written.
type Source struct {
	Name string
	// Dims are the sizes, the contiguous one first.
	Dims []int64
	Type Type
	// Write puts exactly the tensor's bytes to w. It is called once.
	Write func(w io.Writer) error
}

// Progress is told how many bytes of how many are written.
type Progress func(done, total int64)

// Write writes the model to path: first to a temporary file beside it, which
// takes the name at the end, so that path never holds half a model. A cancelled
// context stops between two writes and leaves nothing behind. progress may be nil.
func Write(ctx context.Context, path string, m *Model, progress Progress) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = tmp.Close()
			_ = os.Remove(tmp.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err = m.Encode(ctx, tmp, progress); err != nil {
		return err
	}
	return publish(tmp, path)
}

// publish makes the finished file durable and gives it its name.
func publish(tmp *os.File, path string) error {
	// CreateTemp made it private; a model is an ordinary file.
	if err := tmp.Chmod(0o644); err != nil {
		return err
	}
	if err := tmp.Sync(); err != nil {
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// Encode writes the model to w. Only the header and what a Source buffers are in memory.
func (m *Model) Encode(ctx context.Context, w io.Writer, progress Progress) error {
	offsets, total, err := m.layOut()
	if err != nil {
		return err
	}
	counted := &countingWriter{ctx: ctx, w: w, progress: progress}
	out := bufio.NewWriterSize(counted, 1<<20)
	if err := encodeHeader(out, m, offsets); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	align := m.alignment()
	counted.total = pad(counted.done, align) + total
	if len(m.Tensors) == 0 {
		return nil
	}
	if err := putZeros(out, pad(counted.done, align)-counted.done); err != nil {
		return err
	}
	for _, t := range m.Tensors {
		if err := writeTensor(out, t, align); err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
	}
	return out.Flush()
}

func (m *Model) alignment() int64 {
	for _, kv := range m.KVs {
		if a, ok := kv.Value.(uint32); ok && kv.Key == "general.alignment" {
			return int64(a)
		}
	}
	return DefaultAlignment
}

// layOut places each tensor right after the padded one before it, as ggml demands.
func (m *Model) layOut() (offsets []uint64, total int64, err error) {
	align := m.alignment()
	if align <= 0 || align&(align-1) != 0 {
		return nil, 0, fmt.Errorf("%w: general.alignment %d is not a power of two", ErrMalformed, align)
	}
	for _, t := range m.Tensors {
		size, ok := tensorBytes(t.Type, t.Dims)
		if !ok || len(t.Dims) == 0 || len(t.Dims) > maxDims || t.Dims[0]%t.Type.Block() != 0 {
			return nil, 0, fmt.Errorf("%w: %s cannot be %v of %v", ErrTensor, t.Name, t.Dims, t.Type)
		}
		offsets = append(offsets, uint64(total))
		total += pad(size, align)
	}
	return offsets, total, nil
}

func writeTensor(w io.Writer, t Source, align int64) error {
	size, _ := tensorBytes(t.Type, t.Dims)
	exact := &exactWriter{w: w, left: size}
	if err := t.Write(exact); err != nil {
		return err
	}
	if exact.left != 0 {
		return fmt.Errorf("%w: its source wrote %d bytes of %d", ErrTensor, size-exact.left, size)
	}
	return putZeros(w, pad(size, align)-size)
}

var errTooMuch = errors.New("its source wrote more than the tensor holds")

// exactWriter refuses more than a tensor's bytes, which would shift all that follow.
type exactWriter struct {
	w    io.Writer
	left int64
}

func (e *exactWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > e.left {
		return 0, errTooMuch
	}
	n, err := e.w.Write(b)
	e.left -= int64(n)
	return n, err
}

// countingWriter reports progress and ends the work when the context does.
type countingWriter struct {
	ctx         context.Context
	w           io.Writer
	done, total int64
	progress    Progress
}

func (c *countingWriter) Write(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.w.Write(b)
	c.done += int64(n)
	if c.progress != nil && c.total > 0 {
		c.progress(c.done, c.total)
	}
	return n, err
}
