package report

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"axon/internal/wholefile"
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

// replace writes a file as a whole, in a folder that it makes where there is none.
func replace(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), reportFolder); err != nil {
		return err
	}
	return wholefile.Write(path, write)
}

// remove takes away what an earlier report left, so that it is not taken for this one's.
func remove(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
