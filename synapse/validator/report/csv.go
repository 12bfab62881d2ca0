package report

import (
	"encoding/csv"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// WriteCSV writes what the pictures show as tables: servers.csv, rounds.csv, pairs.csv and
// synergy.csv. The first line names columns; a cell without a number is one that is not
// known. Words that a spreadsheet would take for a formula begin with an apostrophe.
func WriteCSV(dir string, d *Data) error {
	d = d.ordered()
	for _, t := range []struct {
		name string
		rows func(*Data, func(...string) error) error
	}{
		{ServersCSV, serverRows}, {RoundsCSV, roundRows}, {PairsCSV, pairRows}, {SynergyCSV, synergyRows},
	} {
		err := replace(filepath.Join(dir, t.name), func(w io.Writer) error {
			c := csv.NewWriter(w)
			if err := t.rows(d, func(row ...string) error { return c.Write(row) }); err != nil {
				return err
			}
			c.Flush()
			return c.Error()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func serverRows(d *Data, row func(...string) error) error {
	err := row("uid", "name", "hotkey", "size", "loss", "loss_error", "params", "params_low", "params_high",
		"bits_per_byte", "score", "weight", "emitted", "response_seconds", "divergence", "divergence_error",
		"asked", "answered", "codes")
	for i := range d.Servers {
		if err != nil {
			return err
		}
		s := &d.Servers[i]
		err = row(strconv.Itoa(s.UID), word(s.Name), word(s.Hotkey), number(s.Size), number(s.Loss), number(s.Error),
			number(s.Params), number(s.ParamsLow), number(s.ParamsHigh), number(s.BitsPerByte), number(s.Score),
			number(s.Weight), strconv.Itoa(s.Emitted), number(s.ResponseTime), number(s.Divergence),
			number(s.DivergenceError), strconv.Itoa(s.Asked), strconv.Itoa(s.Answered), word(codes(s.Codes)))
	}
	return err
}

func roundRows(d *Data, row func(...string) error) error {
	err := row("uid", "step", "loss", "mean", "mean_error", "divergence", "response_seconds")
	for i := range d.Servers {
		for _, p := range d.Servers[i].Rounds {
			if err != nil {
				return err
			}
			err = row(strconv.Itoa(d.Servers[i].UID), strconv.Itoa(p.Step), number(p.Loss), number(p.Mean),
				number(p.Error), number(p.Divergence), number(p.ResponseTime))
		}
	}
	return err
}

func pairRows(d *Data, row func(...string) error) error {
	err := row("better", "worse", "difference", "difference_error", "significant", "confidence", "rounds")
	for _, p := range d.Different {
		if err != nil {
			return err
		}
		err = row(strconv.Itoa(p.Better), strconv.Itoa(p.Worse), number(p.Difference), number(p.Error),
			strconv.FormatBool(p.Significant), number(p.Confidence), strconv.Itoa(p.Rounds))
	}
	return err
}

func synergyRows(d *Data, row func(...string) error) error {
	err := row("uid", "with", "nats")
	d.Synergy.each(func(i, j int, v float64) {
		if err == nil {
			err = row(strconv.Itoa(d.Synergy.UIDs[i]), strconv.Itoa(d.Synergy.UIDs[j]), number(v))
		}
	})
	return err
}

// each visits the pairs that were measured.
func (m *Matrix) each(visit func(i, j int, v float64)) {
	if m == nil {
		return
	}
	for i := range min(len(m.UIDs), len(m.Values)) {
		for j := i + 1; j < min(len(m.UIDs), len(m.Values[i])); j++ {
			if v := m.Values[i][j]; finite(v) {
				visit(i, j, v)
			}
		}
	}
}

// word is a cell with a stranger's words.
func word(s string) string {
	s = clean(s, longestInFiles)
	if s != "" && strings.ContainsRune("=+-@", rune(s[0])) {
		return "'" + s
	}
	return s
}

// number is a cell with a number, as short as it can be without loss.
func number(v float64) string {
	if !finite(v) {
		return ""
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func finite(values ...float64) bool {
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return true
}

// mostCodes are listed of a server: their names are strangers' too.
const mostCodes = 12

// codes lists how often each return code came.
func codes(list []Count) string {
	var parts []string
	for _, c := range list {
		if len(parts) == mostCodes {
			parts = append(parts, "…")
			break
		}
		if c.N != 0 {
			parts = append(parts, strconv.Itoa(c.N)+" "+clean(c.Name, longestInPictures))
		}
	}
	return strings.Join(parts, ", ")
}
