package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"axon/internal/system"
)

// checkOutput refuses a file that exists, or that cannot be written, before
// any work is done for it.
func checkOutput(path string, force bool) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file; name another output", path)
	case err == nil && !force:
		return fmt.Errorf("%s exists; name another file or add --force", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s: there is no folder %s; make it first", path, dir)
	}
	return nil
}

// checkDisk refuses to start what will not fit.
func checkDisk(path string, bytes int64) error {
	free, ok := system.FreeDisk(path)
	if ok && bytes > 0 && uint64(bytes) > free {
		return fmt.Errorf("%s needs about %s, and the disk has %s left; free some or write elsewhere", path, sizeText(bytes), sizeText(free))
	}
	return nil
}
