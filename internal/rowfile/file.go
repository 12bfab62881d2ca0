package rowfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// What a crash of the whole machine may cost: a file is brought to the disk after
// so many bytes or so much time, when it is closed, and when it is finished.
const (
	syncBytes = 16 << 20
	syncTime  = 10 * time.Second
)

// maxLoss is how much damage at the end of a file Open takes for what a crash has
// left of unsynced bytes. More than that is not dropped without asking.
const maxLoss = syncBytes + maxChunk

// File is a Writer to a file on disk that survives interruption.
type File struct {
	*Writer
	disk    *disk
	dropped int64
}

// OpenOptions say what to do with a file that is there already.
type OpenOptions struct {
	Force bool // begin anew, whatever the file holds
	// Progress is called with the number of bytes of an existing file that were
	// checked.
	Progress func(done, total int64)
}

// Open creates the file, or goes on where an interrupted writer of the same rows
// stopped. Every chunk of an existing file is checked; one that is cut off at its
// end, or a damaged end as a crash of the machine leaves it, is dropped. Of a
// finished file Finished reports true.
//
// It returns ErrMismatch for a file of other rows, ErrFormat for one that holds
// something else, ErrCorrupt for one that is damaged further ahead, and ErrLocked.
// None of these changes the file.
func Open(path string, h *Header, o OpenOptions) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	file := &File{disk: &disk{File: f, synced: time.Now()}}
	if err := file.open(h, o); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

func (f *File) open(h *Header, o OpenOptions) error {
	if err := lock(f.disk.File); err != nil {
		return err
	}
	if o.Force {
		return f.begin(h)
	}
	r, err := NewReader(f.disk.File)
	if errors.Is(err, ErrUnfinished) { // empty, or not even a whole header
		return f.begin(h)
	}
	if err != nil {
		return err
	}
	if list := r.Header().Differences(h); len(list) > 0 {
		return fmt.Errorf("%w: %s", ErrMismatch, strings.Join(list, ", "))
	}
	return f.resume(r, o.Progress)
}

// begin writes the header of a new file.
func (f *File) begin(h *Header) error {
	// The header first, in memory: what is wrong with it must not cost the old file.
	var head bytes.Buffer
	w, err := NewWriter(&head, h)
	if err != nil {
		return err
	}
	if err := f.disk.Truncate(0); err != nil {
		return err
	}
	if _, err := f.disk.WriteAt(head.Bytes(), 0); err != nil {
		return err
	}
	if _, err := f.disk.Seek(0, io.SeekEnd); err != nil {
		return err
	}
	w.w = f.disk
	f.Writer = w
	if err := f.disk.sync(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.disk.Name()))
}

// resume checks what there is and goes to the end of it.
func (f *File) resume(r *Reader, progress func(done, total int64)) error {
	info, err := f.disk.Stat()
	if err != nil {
		return err
	}
	for err == nil {
		if _, err = r.Next(); progress != nil {
			progress(r.Offset(), info.Size())
		}
	}
	f.Writer = &Writer{w: f.disk, header: r.header, next: r.next, sum: r.sum}
	left := info.Size() - r.Offset()
	switch {
	case errors.Is(err, io.EOF):
		f.finished = true
		return nil
	case errors.Is(err, ErrUnfinished), errors.Is(err, ErrCorrupt) && left <= maxLoss:
		f.dropped = left
	default:
		return err
	}
	if err := f.disk.Truncate(r.Offset()); err != nil {
		return err
	}
	_, err = f.disk.Seek(r.Offset(), io.SeekStart)
	return err
}

// Dropped is the number of bytes that Open took off the end of the file, because
// they were not a whole chunk.
func (f *File) Dropped() int64 { return f.dropped }

// disk is a file that is brought to the disk now and then.
type disk struct {
	*os.File
	unsynced int64
	synced   time.Time
}

func (d *disk) Write(b []byte) (int, error) {
	n, err := d.File.Write(b)
	if err != nil {
		return n, err
	}
	if d.unsynced += int64(n); d.unsynced >= syncBytes || time.Since(d.synced) >= syncTime {
		err = d.sync()
	}
	return n, err
}

func (d *disk) sync() error {
	d.unsynced, d.synced = 0, time.Now()
	return fsync(d.File)
}

// fsync is what a test that opens thousands of files does without.
var fsync = (*os.File).Sync

// Close brings what was written to the disk and lets others write. The rows that
// are missing may be added later.
func (f *File) Close() error {
	return errors.Join(f.disk.sync(), f.disk.Close())
}

// syncDir makes a new file's name durable. Some systems cannot, and the file is none
// the worse for it.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return nil //nolint:nilerr // a folder that cannot be read can still be written to
	}
	_ = fsync(d)
	return d.Close()
}
