package metagraph

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"axon/synapse/auth"
)

// sizeLimit bounds a file: 65,536 neurons take about 10 MiB.
const sizeLimit = 32 << 20

// The columns that a file must have.
const (
	columnUID = iota
	columnHotkey
	columnColdkey
	columnIP
	columnPort
	columnStake
	columnCount
)

var columnNames = [columnCount]string{"uid", "hotkey", "coldkey", "ip", "port", "stake"}

// Parse reads a metagraph from CSV. Errors wrap [ErrFile] and name the line.
func Parse(r io.Reader) ([]Neuron, error) {
	bounded := &io.LimitedReader{R: r, N: sizeLimit + 1}
	neurons, err := parse(bounded)
	switch {
	case bounded.N == 0:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrFile, sizeLimit)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return neurons, nil
}

func parse(r io.Reader) ([]Neuron, error) {
	lines := csv.NewReader(skipMark(r))
	lines.ReuseRecord = true // texts are copied out of it, or read on the spot
	header, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("it is empty; the first line must be %s", strings.Join(columnNames[:], ","))
	}
	if err != nil {
		return nil, err
	}
	columns, err := findColumns(header)
	if err != nil {
		return nil, err
	}
	p := parser{uids: make(map[int]int), hotkeys: make(map[auth.PublicKey]int)}
	for {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return p.neurons, nil
		}
		if err != nil {
			return nil, err // with its line
		}
		line, _ := lines.FieldPos(0)
		if err := p.add(line, pick(record, columns)); err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// skipMark passes over the byte order mark that some spreadsheets write.
func skipMark(r io.Reader) io.Reader {
	const mark = "\ufeff"
	b := bufio.NewReader(r)
	if start, _ := b.Peek(len(mark)); string(start) == mark {
		_, _ = b.Discard(len(mark))
	}
	return b
}

// findColumns says where each column stands.
func findColumns(header []string) (places [columnCount]int, err error) {
	for want, name := range columnNames {
		places[want] = -1
		for at, text := range header {
			if strings.TrimSpace(text) != name {
				continue
			}
			if places[want] >= 0 {
				return places, fmt.Errorf("line 1: column %s stands twice", name)
			}
			places[want] = at
		}
		if places[want] < 0 {
			return places, fmt.Errorf("line 1: no column %s; needed are %s", name, strings.Join(columnNames[:], ","))
		}
	}
	return places, nil
}

func pick(record []string, places [columnCount]int) (texts [columnCount]string) {
	for i, at := range places {
		texts[i] = strings.TrimSpace(record[at])
	}
	return texts
}

// parser collects neurons, and remembers the lines of those it has.
type parser struct {
	neurons []Neuron
	uids    map[int]int
	hotkeys map[auth.PublicKey]int
}

func (p *parser) add(line int, texts [columnCount]string) error {
	n, err := parseNeuron(texts)
	if err != nil {
		return err
	}
	if first, ok := p.uids[n.UID]; ok {
		return fmt.Errorf("uid %d stands in line %d already", n.UID, first)
	}
	if first, ok := p.hotkeys[n.Hotkey]; ok {
		return fmt.Errorf("hotkey %v stands in line %d already", n.Hotkey, first)
	}
	p.uids[n.UID], p.hotkeys[n.Hotkey] = line, line
	p.neurons = append(p.neurons, n)
	return nil
}

func parseNeuron(texts [columnCount]string) (n Neuron, err error) {
	if n.UID, err = strconv.Atoi(texts[columnUID]); err != nil {
		return n, fmt.Errorf("uid %.20q is no number", texts[columnUID])
	}
	if n.Hotkey, err = auth.ParsePublicKey(texts[columnHotkey]); err != nil {
		return n, fmt.Errorf("hotkey: %w", err)
	}
	if text := texts[columnColdkey]; text != "" {
		if n.Coldkey, err = auth.ParsePublicKey(text); err != nil {
			return n, fmt.Errorf("coldkey: %w", err)
		}
	}
	if text := texts[columnIP]; text != "" {
		if n.IP, err = netip.ParseAddr(text); err != nil {
			return n, fmt.Errorf("ip %.40q is no address", text)
		}
	}
	if text := texts[columnPort]; text != "" {
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return n, fmt.Errorf("port %.20q is not within 0 and 65535", text)
		}
		n.Port = uint16(port)
	}
	if n.Stake, err = strconv.ParseFloat(texts[columnStake], 64); err != nil {
		return n, fmt.Errorf("stake %.40q is no number", texts[columnStake])
	}
	return n, n.check()
}
