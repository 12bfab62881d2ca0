package auth

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// growth is how many records more than a snapshot needs a journal may hold.
const growth = 8192

// journal is the file of a book: a snapshot, and behind it what has happened since.
type journal struct {
	path    string
	noSync  bool
	file    *os.File
	locked  *os.File
	records int // in the file
}

// openJournal reads a file into an empty book, and leaves a snapshot in its place.
func openJournal(path string, b *book) (*journal, error) {
	locked, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNonceFile, err)
	}
	j := &journal{path: path, noSync: b.limits.NoSync, locked: locked}
	if err := j.start(b); err != nil {
		return nil, errors.Join(err, j.close())
	}
	return j, nil
}

func (j *journal) start(b *book) error {
	if err := lock(j.locked); err != nil {
		return err
	}
	if err := readJournal(j.path, b); err != nil {
		return fmt.Errorf("%w: %w", ErrNonceFile, err)
	}
	if err := j.replace(snapshotOf(b)); err != nil {
		return fmt.Errorf("%w: %w", ErrNonceFile, err)
	}
	return nil
}

// grown reports whether so many bytes more make a snapshot worth its while.
func (j *journal) grown(b *book, more int) bool {
	live := 1 + len(b.senders) + b.marks
	return j.records+more/recordSize > 2*live+growth
}

// append writes records behind the others.
func (j *journal) append(batch []byte) error {
	if _, err := j.file.Write(batch); err != nil {
		return err
	}
	j.records += len(batch) / recordSize
	if j.noSync {
		return nil
	}
	return j.file.Sync()
}

// replace puts a snapshot in the file's place.
func (j *journal) replace(snapshot []byte) error {
	file, err := replaceFile(j.path, snapshot, !j.noSync)
	if err != nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // all that was in it is in the snapshot
	}
	j.file, j.records = file, (len(snapshot)-len(fileHeader))/recordSize
	return nil
}

func (j *journal) close() error {
	var err error
	if j.file != nil {
		err = j.file.Close()
	}
	return errors.Join(err, j.locked.Close()) // which unlocks
}

// readJournal reads the file at path, if there is one.
func readJournal(path string, b *book) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	return replayAll(bufio.NewReaderSize(file, 64<<10), b)
}

// replayAll lets all records happen again. What was being written when the process, or
// the machine, stopped is cut off or wrong and nothing whole stands behind it: it was
// never counted, and is left out. Anything else that is wrong is damage, and leaving it
// out would let nonces be used again.
func replayAll(r io.Reader, b *book) error {
	header := make([]byte, len(fileHeader))
	if _, err := io.ReadFull(r, header); err != nil || string(header) != fileHeader {
		return fmt.Errorf("no file of nonces, or of a newer version of axon; give another path")
	}
	var broken error
	buf := make([]byte, recordSize)
	for offset := len(header); ; offset += recordSize {
		_, err := io.ReadFull(r, buf)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return err
		}
		rec, err := parseRecord(buf)
		switch {
		case err != nil && broken == nil:
			broken = fmt.Errorf("damaged at byte %d (%w) with whole records behind it; requests "+
				"recorded there could be sent again if the file were mended or moved away", offset, err)
		case err == nil && broken != nil:
			return broken
		case err == nil:
			b.replay(rec)
		}
	}
}
