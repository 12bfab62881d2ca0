package corpus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// document is a file that holds text.
type document struct {
	name       string
	lines      bool  // JSON lines
	begin, end int64 // bytes of the file that are text; end is its size
	start      int64 // where they begin among the bytes of all documents
	modified   int64 // nanoseconds since 1970
}

// open opens the file, if it is still the one that was found.
func (d *document) open() (*os.File, error) {
	file, err := os.Open(d.name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w; begin again with the files there are", ErrChanged, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read text: %w", err)
	}
	info, err := file.Stat()
	if err == nil && (info.Size() != d.end || info.ModTime().UnixNano() != d.modified) {
		err = fmt.Errorf("%w: %s has %d bytes of %s, and had %d; begin again with the files there are",
			ErrChanged, d.name, info.Size(), info.ModTime(), d.end)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

const (
	// maxFiles bounds the memory that names take, to some hundred MiB.
	maxFiles = 1 << 20
	// sniffed is how much of a file is looked at for NUL, as git and others do.
	sniffed = 8000

	byteOrderMark = "\ufeff"
)

// listing is what has been found.
type listing struct {
	documents []document
	total     int64 // bytes
	skipped   int
	seen      map[string]struct{} // real paths
}

func list(ctx context.Context, paths []string) (*listing, error) {
	l := &listing{seen: map[string]struct{}{}}
	for _, path := range paths {
		if err := l.add(ctx, path); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// add takes in a file or folder that was named.
func (l *listing) add(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("find text: %w", err)
	}
	if info.IsDir() {
		return l.walk(ctx, path)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file; give it as standard input (-)", ErrNotText, path)
	}
	text, err := l.addFile(path)
	if err == nil && !text {
		err = fmt.Errorf("%w: %s holds NUL bytes; unpack it, or convert it to UTF-8", ErrNotText, path)
	}
	return err
}

func (l *listing) walk(ctx context.Context, root string) error {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return fmt.Errorf("find text: %w", err)
	}
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err := errors.Join(err, ctx.Err()); err != nil {
			return fmt.Errorf("find text in %s: %w", path, err)
		}
		switch {
		case path != root && strings.HasPrefix(entry.Name(), "."):
			l.skipped++
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.IsDir():
		case !leadsToFile(path, entry):
			l.skipped++
		default:
			text, err := l.addFile(path)
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // gone since the folder was read
				return err
			}
			if !text {
				l.skipped++
			}
		}
		return nil
	})
}

// leadsToFile reports whether there is a regular file, or a link to one. Links to folders
// are not followed, so that none leads in a circle.
func leadsToFile(path string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// addFile takes in a file unless it was before, and says whether it is one of text. An
// empty one is, and adds nothing.
func (l *listing) addFile(path string) (bool, error) {
	known, err := l.visit(path)
	if known || err != nil {
		return known, err
	}
	d, err := sniff(path)
	if d == nil || err != nil {
		return false, err
	}
	if d.begin == d.end {
		l.skipped++
		return true, nil
	}
	if len(l.documents) == maxFiles {
		return false, fmt.Errorf("%w: more than the limit of %d; join them, or make JSON lines of them", ErrTooMany, maxFiles)
	}
	size := d.end - d.begin
	if size > math.MaxInt64/2-l.total { // leaves room for arithmetic
		return false, fmt.Errorf("%w: with %s there are more than %d bytes", ErrTooMany, path, int64(math.MaxInt64/2))
	}
	d.start = l.total
	l.total += size
	l.documents = append(l.documents, *d)
	return true, nil
}

// visit remembers a file by its real path.
func (l *listing) visit(path string) (known bool, err error) {
	path, err = filepath.EvalSymlinks(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return false, fmt.Errorf("find text: %w", err)
	}
	_, known = l.seen[path]
	l.seen[path] = struct{}{}
	return known, nil
}

// sniff looks at a file's beginning. Binary files give nil.
func sniff(path string) (d *document, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read text: %w; make it readable, or leave it out", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read text: %w", err)
	}
	head := make([]byte, min(sniffed, info.Size()))
	if _, err := io.ReadFull(file, head); err != nil {
		return nil, fmt.Errorf("read text from %s: %w", path, err)
	}
	if bytes.IndexByte(head, 0) >= 0 {
		return nil, nil
	}
	d = &document{name: path, lines: isLines(path), end: info.Size(), modified: info.ModTime().UnixNano()}
	if bytes.HasPrefix(head, []byte(byteOrderMark)) {
		d.begin = int64(len(byteOrderMark))
	}
	return d, nil
}

func isLines(path string) bool {
	return slices.Contains([]string{".jsonl", ".ndjson"}, strings.ToLower(filepath.Ext(path)))
}
