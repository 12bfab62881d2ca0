// Package browser opens the validator's report in headless Chromium, as its reader would.
// Chromium comes from the system and its remote control from npm; make browser runs it.
package browser_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse/validator/report"
	"axon/synapse/validator/report/reporttest"
)

// env switches these tests on, and says which browser to start.
const env = "AXON_BROWSER"

func TestMain(m *testing.M) {
	if os.Getenv(env) == "" {
		println("skipped: make browser sets " + env + " to a Chromium and opens reports with it")
		os.Exit(0)
	}
	code := m.Run()
	if dir, err := remote(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// page is what open.mjs is asked to open.
type page struct {
	URL        string `json:"url"`
	Width      int    `json:"width"`
	Height     int    `json:"height"`
	Screenshot string `json:"screenshot"`
}

// seen is what became of a page.
type seen struct {
	Console, Errors, Failed, Requests, Dialogs []string
	Title, Lang, Heading, Verdict              string
	SVGs                                       []svg
	Rows, ColumnHeads, RowHeads, Foreign       int
	Names                                      []string
	ContentWidth, WindowWidth                  int
}

// svg is a picture on the screen.
type svg struct {
	Name, Title    string
	Visible        bool
	Width, Height  float64
	Words, Outside []string
}

var widths = []page{{Width: 1280, Height: 1000}, {Width: 390, Height: 844}} // a desk, a telephone

// remote is the folder with the browser's remote control, installed once.
var remote = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "axon-browser-*")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, os.DirFS("_node")); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return dir, nil
})

// open opens pages and tells what was seen of each.
func open(t *testing.T, pages []page) []seen {
	t.Helper()
	dir, err := remote()
	require.NoError(t, err)
	job, err := json.Marshal(map[string]any{"executable": os.Getenv(env), "pages": pages})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "node", "open.mjs")
	var out, errs bytes.Buffer
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = dir, bytes.NewReader(job), &out, &errs
	require.NoError(t, cmd.Run(), errs.String())
	var list []seen
	require.NoError(t, json.Unmarshal(out.Bytes(), &list), out.String())
	require.Len(t, list, len(pages))
	return list
}

// served is a folder on loopback that counts what is asked of it.
func served(t *testing.T, dir string) (address string, asked func() []string) {
	t.Helper()
	var mutex sync.Mutex
	var paths []string
	files := http.FileServer(http.Dir(dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		paths = append(paths, r.URL.Path)
		mutex.Unlock()
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []string {
		mutex.Lock()
		defer mutex.Unlock()
		return paths
	}
}

func TestReport(t *testing.T) {
	for _, servers := range []int{1, 8, 1000} {
		t.Run(fmt.Sprint(servers), func(t *testing.T) {
			dir, shots := t.TempDir(), t.ArtifactDir()
			d := reporttest.Sample(servers, 600)
			require.NoError(t, report.WriteHTML(filepath.Join(dir, report.HTMLFile), d))
			address, asked := served(t, dir)
			file := url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(dir, report.HTMLFile))}

			var pages []page
			for _, from := range []string{file.String(), address + "/" + report.HTMLFile} {
				for _, p := range widths {
					p.URL = from
					p.Screenshot = filepath.Join(shots, fmt.Sprintf("%d-%d-%d.png", servers, len(pages), p.Width))
					pages = append(pages, p)
				}
			}
			for i, s := range open(t, pages) {
				t.Run(fmt.Sprintf("%s at %d", pages[i].URL, pages[i].Width), func(t *testing.T) {
					requireQuiet(t, s, pages[i].URL)
					requireShown(t, s, d)
					require.LessOrEqual(t, s.ContentWidth, s.WindowWidth, "the page scrolls sideways")
					requirePainted(t, pages[i].Screenshot)
				})
			}
			require.Equal(t, []string{"/" + report.HTMLFile, "/" + report.HTMLFile}, asked(), "once for each width, and nothing else")
		})
	}
}

// requireQuiet checks that the page loaded itself and nothing else, and had nothing to say.
func requireQuiet(t *testing.T, s seen, address string) {
	t.Helper()
	require.Empty(t, s.Console)
	require.Empty(t, s.Errors)
	require.Empty(t, s.Failed)
	require.Empty(t, s.Dialogs, "a stranger's name was run")
	require.Zero(t, s.Foreign, "elements that the report does not have")
	for i, r := range s.Requests {
		require.True(t, r == address && i == 0 || r == "data:,", "the page asked for %s", r)
	}
}

// requireShown checks that pictures and table are there, with all servers.
func requireShown(t *testing.T, s seen, d *report.Data) {
	t.Helper()
	require.Equal(t, "en", s.Lang)
	require.Equal(t, d.Title, s.Title)
	require.Equal(t, d.Title, s.Heading)
	require.Contains(t, s.Verdict, "predicts best")
	require.Len(t, d.Servers, s.Rows)
	require.Equal(t, s.Rows, s.RowHeads)
	require.Equal(t, 13, s.ColumnHeads)
	if len(d.Servers) > 1 {
		require.Contains(t, s.Names, reporttest.Hostile[0], "as it stands, not run")
	}

	want := []string{"ranking", "loss-size", "loss-time", "synergy", "divergence"}
	if len(d.Servers) == 1 { // no pairs
		want = []string{"ranking", "loss-size", "loss-time", "divergence"}
	}
	var names []string
	for _, v := range s.SVGs {
		names = append(names, v.Name)
		require.True(t, v.Visible, v.Name)
		require.Greater(t, v.Width, 300.0, v.Name)
		require.Greater(t, v.Height, 60.0, v.Name)
		require.NotEmpty(t, v.Title)
		require.NotEmpty(t, v.Words, v.Name)
		require.Empty(t, v.Outside, "words that stand out of %s", v.Name)
	}
	require.Equal(t, want, names)
}

// requirePainted checks that a screenshot is more than a colour.
func requirePainted(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	picture, err := png.Decode(file)
	require.NoError(t, err)
	colors := make(map[color.Color]int)
	bounds := picture.Bounds()
	most := 0
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := picture.At(x, y)
			colors[c]++
			most = max(most, colors[c])
		}
	}
	require.Greater(t, len(colors), 50)
	require.Less(t, most, bounds.Dx()*bounds.Dy()*98/100, "a blank screen")
}

// What TestReport looks for would be seen: a page that does everything it must not.
func TestABadPageIsSeen(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bad.html"), []byte(`<!doctype html><title>bad</title>
		<link rel="icon" href="data:,"><img src="/other.png" alt=""><div style="width: 2000px">wide</div>
		<script>console.error("said"); alert("asked"); throw new Error("thrown")</script>
		<svg viewBox="0 0 10 10" style="width: 400px; overflow: visible"><text x="50" y="5">out</text></svg>`), 0o600))
	address, asked := served(t, dir)
	p := widths[0]
	p.URL, p.Screenshot = address+"/bad.html", filepath.Join(dir, "bad.png")
	s := open(t, []page{p})[0]
	require.Equal(t, []string{"/bad.html", "/other.png"}, asked())
	require.Contains(t, s.Requests, address+"/other.png")
	require.Contains(t, s.Console, "error: said")
	require.Equal(t, []string{"Error: thrown"}, s.Errors)
	require.Equal(t, []string{"asked"}, s.Dialogs)
	require.Equal(t, 2, s.Foreign)
	require.Greater(t, s.ContentWidth, s.WindowWidth)
	require.Equal(t, []string{"out"}, s.SVGs[0].Outside)
}
