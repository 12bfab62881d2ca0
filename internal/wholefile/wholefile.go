// Package wholefile writes files that others may read at any moment: there is the old one
// or the whole new one, never a part. What must outlive a power cut, or be nobody else's to
// read, is written by those who know that of it.
package wholefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// mode is that of an ordinary file: no secret is in it.
const mode = 0o644

// Write puts what write writes in the place of whatever is at path, as soon as all of it is
// there. When it fails the old file stays, and nothing beside it.
func Write(path string, write func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	b := bufio.NewWriter(file)
	if err = write(b); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	err = errors.Join(err, b.Flush(), file.Chmod(mode), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}
