package report_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"axon/synapse/validator/report"
	"axon/synapse/validator/report/reporttest"
)

var nan, inf = math.NaN(), math.Inf(1)

var pictures = []string{report.RankingPNG, report.LossSizePNG, report.LossTimePNG, report.SynergyPNG, report.DivergePNG}

func html(t *testing.T, d *report.Data) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, report.HTML(&b, d))
	return b.String()
}

func table(t *testing.T, path string) [][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	require.NoError(t, err)
	return rows
}

// two is a report whose figures are easy to follow: the server with uid 9 predicts best.
func two() *report.Data {
	return &report.Data{
		Title: "Two", Made: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Facts: []report.Fact{{Name: "task", Value: "TextCausalLM"}},
		Servers: []report.Server{
			{UID: 4, Name: "small", Hotkey: "127.0.0.1:1", Size: 1.5e6, Loss: 2.75, Error: 0.02, Params: 3e8, ParamsLow: 2e8, ParamsHigh: 4e8,
				BitsPerByte: nan, Score: 17320.5, Weight: 0.25, Emitted: 16383, ResponseTime: 0.5, Divergence: 0.125, DivergenceError: inf,
				Asked: 3, Answered: 2, Codes: []report.Count{{Name: "SUCCESS", N: 2}, {Name: "TIMEOUT", N: 1}, {Name: "BACKOFF", N: 0}},
				Rounds: []report.Point{{Step: 1, Loss: 2.7, Mean: 2.7, Error: nan, Divergence: 0.1, ResponseTime: 0.5}, {Step: 2, Loss: nan, Mean: 2.7, Error: nan, Divergence: nan, ResponseTime: 12}}},
			{UID: 9, Name: "large", Size: nan, Loss: 2.5, Error: 0.01, Params: nan, ParamsLow: nan, ParamsHigh: nan, BitsPerByte: 0.9,
				Score: nan, Weight: 0.75, Emitted: 49151, ResponseTime: nan, Divergence: nan, DivergenceError: nan, Asked: 3, Answered: 3},
		},
		Synergy:   &report.Matrix{UIDs: []int{4, 9}, Values: [][]float64{{0, 0.03125}, {0.03125, 0}}},
		Different: []report.Pair{{Better: 9, Worse: 4, Difference: 0.25, Error: 0.015, Significant: true, Confidence: 0.95, Rounds: 24}},
	}
}

func TestTables(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	require.NoError(t, report.WriteCSV(dir, two()))
	require.Equal(t, [][]string{
		{"uid", "name", "hotkey", "size", "loss", "loss_error", "params", "params_low", "params_high", "bits_per_byte", "score", "weight",
			"emitted", "response_seconds", "divergence", "divergence_error", "asked", "answered", "codes"},
		{"9", "large", "", "", "2.5", "0.01", "", "", "", "0.9", "", "0.75", "49151", "", "", "", "3", "3", ""},
		{"4", "small", "127.0.0.1:1", "1.5e+06", "2.75", "0.02", "3e+08", "2e+08", "4e+08", "", "17320.5", "0.25",
			"16383", "0.5", "0.125", "", "3", "2", "2 SUCCESS, 1 TIMEOUT"},
	}, table(t, filepath.Join(dir, report.ServersCSV)))
	require.Equal(t, [][]string{
		{"uid", "step", "loss", "mean", "mean_error", "divergence", "response_seconds"},
		{"4", "1", "2.7", "2.7", "", "0.1", "0.5"}, {"4", "2", "", "2.7", "", "", "12"},
	}, table(t, filepath.Join(dir, report.RoundsCSV)))
	require.Equal(t, [][]string{
		{"better", "worse", "difference", "difference_error", "significant", "confidence", "rounds"},
		{"9", "4", "0.25", "0.015", "true", "0.95", "24"},
	}, table(t, filepath.Join(dir, report.PairsCSV)))
	require.Equal(t, [][]string{{"uid", "with", "nats"}, {"4", "9", "0.03125"}}, table(t, filepath.Join(dir, report.SynergyCSV)))
}

func TestASpreadsheetRunsNoNames(t *testing.T) {
	for name, cell := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@SUM(A1)": "'@SUM(A1)", "\t=1+1": "'=1+1", "\r\n=1+1": "'=1+1", "\x00=1": "\uFFFD=1",
		"1=1": "1=1", "a,\"b\"\nc": `a,"b" c`, strings.Repeat("n", 600): strings.Repeat("n", 500) + "…",
	} {
		d := two()
		d.Servers[1].Name, d.Servers[1].Hotkey = name, name
		d.Servers[1].Codes = []report.Count{{Name: name, N: -1}}
		dir := t.TempDir()
		require.NoError(t, report.WriteCSV(dir, d))
		row := table(t, filepath.Join(dir, report.ServersCSV))[1]
		require.Equal(t, []string{"9", cell, cell}, row[:3])
		require.True(t, strings.HasPrefix(row[18], "'-1 "), row[18])
	}
}

func TestThePageSaysWhoPredictsBestAndByHowMuch(t *testing.T) {
	d := two()
	page := html(t, d)
	require.Contains(t, page, "<p><bdi>#9 large</bdi> predicts best: it loses 2.500 ± 0.010 nats per token.</p>")
	require.Contains(t, page, "<p>It is 0.250 ± 0.015 nats ahead of <bdi>#4 small</bdi>, which is significant at 95 %.</p>")
	d.Different[0].Significant = false
	require.Contains(t, html(t, d), "which may be chance: at 95 % the two cannot be told apart.")
	d.Different = nil
	require.Contains(t, html(t, d), "It is 0.250 nats ahead of <bdi>#4 small</bdi>. Whether that is more than chance was not tested.")
	require.Contains(t, page, `<time datetime="2026-01-02T03:04:05Z">`)
	require.Contains(t, page, "<dt>task</dt><dd>TextCausalLM</dd>")
}

func TestStrangersWordsAreOnlyWords(t *testing.T) {
	for _, name := range append(reporttest.Hostile, "a\x00b", "\xff\xfe", `"><b>`, "&lt;", "`${x}`", "{{.}}") {
		d := two()
		d.Title = name
		d.Facts = []report.Fact{{Name: name, Value: name}}
		for i := range d.Servers {
			d.Servers[i].Name, d.Servers[i].Hotkey = name, name
			d.Servers[i].Codes = []report.Count{{Name: name, N: 1}}
		}
		page := html(t, d)
		for _, raw := range []string{"<script", "<img", "<b>", "]]></svg>", "\x00", "\xff", "\u202e"} {
			require.NotContains(t, page, raw, name)
		}
		require.Equal(t, strings.Count(page, "<svg "), strings.Count(page, "</svg>"), name)
	}
	d := two()
	d.Servers[1].Name = "<i>&\u202e"
	require.Contains(t, html(t, d), "<bdi>&lt;i&gt;&amp;\uFFFD</bdi>")
	require.Regexp(t, `<text [^>]*>#9 &lt;i&gt;&amp;`+"\uFFFD</text>", html(t, d), "and in pictures")
}

func TestThePageAllowsNothingFromElsewhere(t *testing.T) {
	page := html(t, reporttest.Sample(8, 50))
	require.Contains(t, page, `content="default-src 'none'; style-src 'unsafe-inline'; img-src data:;`)
	head, rest, found := strings.Cut(page, "</head>")
	require.True(t, found)
	require.NotContains(t, head, "http:")
	require.NotContains(t, head, "@import")
	for _, loading := range []string{" src=", "url(", "<link", "<script", "<image", "ZgotmplZ", "NaN", "Inf"} {
		require.NotContains(t, rest, loading)
	}
}

func TestPicturesWithoutDataSayWhy(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, report.Write(dir, reporttest.Sample(4, 20)))
	for _, name := range pictures {
		file, err := os.Open(filepath.Join(dir, name))
		require.NoError(t, err)
		config, err := png.DecodeConfig(file)
		require.NoError(t, errors.Join(err, file.Close()))
		require.Greater(t, config.Width, 800, name)
	}

	require.NoError(t, report.Write(dir, &report.Data{}))
	page, err := os.ReadFile(filepath.Join(dir, report.HTMLFile))
	require.NoError(t, err)
	require.NotContains(t, string(page), "<svg")
	for _, why := range []string{"What the validator found", "No server has a loss yet.", "There is no server of which both", "fewer than two rounds",
		"Synergy was not measured", "No divergence was measured", "No two servers were compared", "No server was asked."} {
		require.Contains(t, string(page), why)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 5, "the page and four tables; pictures of before are gone, and nothing half-written stays")
}

func TestSizesGiveWayToEffectiveParameters(t *testing.T) {
	d := reporttest.Sample(6, 10)
	require.Contains(t, html(t, d), "loss = (6.1e13 / size)^0.0751 (95 %: 0.071 to 0.079), fitted to 6 servers")
	d.Law = nil
	require.Contains(t, html(t, d), "Too few sizes are known")
	for i := range d.Servers {
		d.Servers[i].Size = nan
	}
	require.Contains(t, html(t, d), "Loss against effective parameters")
}

// strange are numbers that no measurement gives, and some that break pictures.
var strange = []float64{nan, inf, -inf, 0, -1, 1e-320, 1e300, -1e300, math.MaxFloat64, -math.MaxFloat64, 1e12, 1e18, 2.5}

func TestNoNumberEndsTheReport(t *testing.T) {
	numbers := strange
	if testing.Short() { // under the race detector a picture takes its time
		numbers = strange[6:9]
	}
	for _, v := range numbers {
		for field := range 9 {
			d := reporttest.Sample(5, 6)
			for i := range d.Servers[:3] {
				spoil(&d.Servers[i], field, v)
			}
			d.Different[0].Difference, d.Different[0].Confidence = v, v
			d.Synergy.Values[0][1], d.Synergy.Values[1][2] = v, v
			d.Law.Nc, d.Law.Band = v, func(float64) (low, high float64) { return v, 2 * v }
			page := html(t, d)
			require.NotContains(t, page, "NaN", "field %d, %v", field, v)
			require.NotContains(t, page, "Inf", "field %d, %v", field, v)
		}
		dir := t.TempDir()
		d := reporttest.Sample(3, 3)
		for field := range 9 {
			spoil(&d.Servers[0], field, v)
		}
		require.NoError(t, report.Write(dir, d))
	}
}

// spoil puts a number where it does harm.
func spoil(s *report.Server, field int, v float64) {
	fields := []*float64{&s.Size, &s.Loss, &s.Error, &s.Params, &s.ParamsLow, &s.Divergence, &s.DivergenceError, &s.Rounds[1].Mean, &s.Rounds[2].Error}
	*fields[field] = v
}

func TestMatricesNeedNotBeWhole(t *testing.T) {
	d := reporttest.Sample(4, 5)
	d.Synergy.Values = [][]float64{nil, {nan, nan, 0.5}}
	require.Contains(t, html(t, d), "0.5000")
	d.Synergy.UIDs = []int{77, 78, 79} // of servers that have left
	require.Contains(t, html(t, d), "#78")
	d.Synergy.UIDs = nil
	require.Contains(t, html(t, d), "Synergy was not measured")
}

func TestAThousandServersFit(t *testing.T) {
	if testing.Short() {
		t.Skip("many lines, which the race detector draws slowly")
	}
	page := html(t, reporttest.Sample(1000, 300))
	const most = 3 << 20
	require.Less(t, len(page), most)
	require.Equal(t, 1000, strings.Count(page, `<th scope="row"`))
	require.Contains(t, page, "… 972 more …")
	long := reporttest.Sample(3, 20_000)
	require.Less(t, len(html(t, long)), 300<<10, "lines are thinned")
}

func TestServersAreShownInOrderAndLeftInTheirs(t *testing.T) {
	d := two()
	d.Servers = append([]report.Server{{UID: 1, Name: "silent", Loss: nan}}, d.Servers...)
	page := html(t, d)
	require.Less(t, strings.Index(page, "<bdi>large</bdi>"), strings.Index(page, "<bdi>small</bdi>"))
	require.Less(t, strings.Index(page, "<bdi>small</bdi>"), strings.Index(page, "<bdi>silent</bdi>"))
	require.Equal(t, 1, d.Servers[0].UID)
}

func TestAFailingWriterFails(t *testing.T) {
	require.ErrorIs(t, report.HTML(broken{}, two()), errBroken)
	dir := t.TempDir()
	path := filepath.Join(dir, report.HTMLFile)
	require.NoError(t, os.Mkdir(path, 0o700))
	require.Error(t, report.WriteHTML(path, two()), "a folder is in the way")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing half-written stays")
}

var errBroken = errors.New("broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }
