package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The files of a report.
const (
	HTMLFile     = "report.html"
	RankingPNG   = "ranking.png"
	LossSizePNG  = "loss-size.png"
	LossTimePNG  = "loss-time.png"
	SynergyPNG   = "synergy.png"
	DivergePNG   = "divergence.png"
	ServersCSV   = "servers.csv"
	RoundsCSV    = "rounds.csv"
	PairsCSV     = "pairs.csv"
	SynergyCSV   = "synergy.csv"
	reportFolder = 0o755
	reportFile   = 0o644 // no secret is in it
)

// Write writes everything into a folder, which it makes where there is none: the HTML
// file, the pictures and the tables.
func Write(dir string, d *Data) error {
	return errors.Join(WriteHTML(filepath.Join(dir, HTMLFile), d), WritePNG(dir, d), WriteCSV(dir, d))
}

// WriteHTML writes the HTML file.
func WriteHTML(path string, d *Data) error {
	return replace(path, func(w io.Writer) error { return HTML(w, d) })
}

// replace puts a file in the place of whatever was at path, as soon as all of it is there.
func replace(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), reportFolder); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	b := bufio.NewWriter(file)
	if err = write(b); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	err = errors.Join(err, b.Flush(), file.Chmod(reportFile), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// remove takes away what an earlier report left, so that it is not taken for this one's.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
