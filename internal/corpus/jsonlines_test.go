package corpus

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestLineText(t *testing.T) {
	for line, want := range map[string]string{
		`{"text": "a"}`: "a", ` {"id": 1, "x": {"text": "no"}, "text": "\u00e4\n\"" } ` + "\r": "ä\n\"",
		`{"text": "first", "text": "last"}`: "last", `{"text": ""}`: "", "": "", " \t\r": "",
	} {
		text, err := lineText([]byte(line), "text")
		require.NoError(t, err, line)
		require.Equal(t, want, string(text))
	}
	for line, want := range map[string]string{
		`[]`: "no JSON object", `null`: "no JSON object", `"text"`: "no JSON object", `text`: "no JSON object", "{": "", `{"text": "a"`: "",
		`{"text": "a"} {}`: "follows", `{"text": "a",}`: "", `{"Text": "a"}`: `no field "text"`, `{}`: `no field "text"`,
		`{"text": null}`: "no string", `{"text": 1}`: "no string", `{"text": ["a"]}`: "no string", "{\"text\": \"\xff\"}": "UTF-8",
		"{\"text\": \"\x00\"}": "",
	} {
		_, err := lineText([]byte(line), "text")
		require.ErrorIs(t, err, ErrLine, line)
		require.ErrorContains(t, err, want)
	}
}

// A line without text stops what is drawn, by its place in the file, and whoever
// wants to goes on behind it.
func TestBadLines(t *testing.T) {
	good := fmt.Sprintf("{\"text\": %q}\n", count(100, 400))
	bad := "{\"body\": \"" + strings.Repeat("x", 3000) + "\"}\n"
	path := write(t, t.TempDir(), "a.jsonl", good+bad+good)
	c := open(t, Options{Paths: []string{path}, Length: 10})
	faults, found := 0, 0
	for p := (Position{}); p.Epoch == 0; {
		windows, next, err := c.Draw(t.Context(), p, 1)
		if err != nil {
			require.ErrorIs(t, err, ErrLine)
			require.ErrorContains(t, err, fmt.Sprintf("%s, line at byte %d", path, len(good)))
			require.ErrorContains(t, err, `"text"`)
			faults++
		}
		require.NotEqual(t, p, next)
		p, found = next, found+len(windows)
	}
	require.Greater(t, faults, 10)
	require.Greater(t, found, 5)
	c = open(t, Options{Paths: []string{path}, Length: 10, Field: "body"})
	_, _, err := c.Draw(t.Context(), Position{}, 100)
	require.ErrorIs(t, err, ErrLine)
	require.ErrorContains(t, err, "line at byte 0")
}

func TestLinesInManyShapes(t *testing.T) {
	folder := t.TempDir()
	var b strings.Builder
	for i := range 30 {
		fmt.Fprintf(&b, "{\"meta\": %q, \"text\": %q}\r\n\n", strings.Repeat("é", i*7), count(1000*i, 1000*i+30*(i%7)))
	}
	write(t, folder, "a.NDJSON", "\ufeff"+b.String())
	c := open(t, Options{Paths: []string{folder}, Length: 10})
	for number := range uint64(10) {
		requireDisjoint(t, epoch(t, c, number))
	}
}

// Lines are bounded, and not by what memory there is.
func TestLongLines(t *testing.T) {
	text := count(1_000_000, 1_000_000+maxLine/8-10)
	longest := fmt.Sprintf("{\"text\": %q}", text)
	longest += strings.Repeat(" ", maxLine-len(longest))
	path := filepath.Join(t.TempDir(), "a.jsonl")
	for _, end := range []string{"", "\n"} {
		require.NoError(t, os.WriteFile(path, []byte("\n"+longest+end), 0o644))
		requireDisjoint(t, draw(t, open(t, Options{Paths: []string{path}, Length: 10}), 3))
	}
	require.NoError(t, os.WriteFile(path, []byte("\n"+longest+" \n"+longest), 0o644))
	c := open(t, Options{Paths: []string{path}, Length: 10})
	for _, offset := range []int64{1, 5, maxLine, maxLine + 1, maxLine + 2} {
		file, err := os.Open(path)
		require.NoError(t, err)
		_, _, err = lineAt(file, 0, c.Size().Bytes, offset)
		require.ErrorIs(t, err, ErrLine, offset)
		require.ErrorContains(t, err, fmt.Sprint(maxLine))
		require.NoError(t, file.Close())
	}
}

// lines of a reader, one after the other.
func readLines(t *testing.T, r io.Reader) (lines [][]byte) {
	t.Helper()
	for in := bufio.NewReaderSize(r, 16); ; {
		line, _, err := nextLine(in)
		if errors.Is(err, io.EOF) {
			return lines
		}
		require.NoError(t, err)
		lines = append(lines, line)
	}
}

// FuzzLines compares two ways of finding lines with a third, and what a line
// holds with what encoding/json makes of it as a whole.
func FuzzLines(f *testing.F) {
	f.Add([]byte("{\"text\": \"a\"}\n\n{\"text\": \"b\"}"), uint16(0))
	f.Add([]byte("{\"a\": {\"text\": 1}, \"text\": \"\\ud800\", \"text\": null}\r\n"), uint16(5))
	f.Add([]byte("{\"text\": \"a\"}}\n{\"text\" 1}\n[\"text\"]\xff\nnull"), uint16(20))
	f.Add(bytes.Repeat([]byte(" "), 3*lineStep), uint16(2*lineStep))
	f.Fuzz(func(t *testing.T, data []byte, at uint16) {
		if len(data) == 0 {
			return
		}
		lines := bytes.Split(data, []byte("\n"))
		if last := len(lines) - 1; len(lines[last]) == 0 {
			lines = lines[:last]
		}
		require.Equal(t, fmt.Sprintf("%q", lines), fmt.Sprintf("%q", readLines(t, bytes.NewReader(data))))

		offset := int64(at) % int64(len(data))
		line, start, err := lineAt(bytes.NewReader(data), 0, int64(len(data)), offset)
		require.NoError(t, err)
		require.LessOrEqual(t, start, offset)
		require.GreaterOrEqual(t, start+int64(len(line)), offset)
		require.NotContains(t, string(line), "\n")
		require.True(t, start == 0 || data[start-1] == '\n')
		require.True(t, start+int64(len(line)) == int64(len(data)) || data[start+int64(len(line))] == '\n')
		requireText(t, line)
	})
}

func requireText(t *testing.T, line []byte) {
	t.Helper()
	text, err := lineText(line, "text")
	if len(bytes.TrimSpace(line)) == 0 {
		require.NoError(t, err)
		return
	}
	var fields map[string]any
	fault := json.Unmarshal(line, &fields)
	want, ok := fields["text"].(string)
	if fault == nil && ok && utf8.Valid(line) {
		require.NoError(t, err)
		require.Equal(t, want, string(text))
		return
	}
	require.ErrorIs(t, err, ErrLine)
}
