package auth

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// replaceFile puts a file that only its owner may read in the place of whatever was at
// path. Whenever it is interrupted, there is the old file or the whole new one. The new
// one comes back open, at its end.
func replaceFile(path string, data []byte, sync bool) (*os.File, error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // with mode 0600
	if err != nil {
		return nil, err
	}
	if err := fill(file, path, data, sync); err != nil {
		return nil, errors.Join(err, file.Close(), removeIfThere(file.Name()))
	}
	return file, nil
}

func fill(file *os.File, path string, data []byte, sync bool) error {
	if _, err := file.Write(data); err != nil {
		return err
	}
	if sync {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	if !sync {
		return nil
	}
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename outlive a power cut.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
