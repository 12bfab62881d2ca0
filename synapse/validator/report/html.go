package report

import "io"

// HTML writes the report as one HTML file.
func HTML(w io.Writer, d *Data) error {
	_, err := io.WriteString(w, "<!doctype html>")
	return err
}
