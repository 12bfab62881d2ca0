package metagraph

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"axon/internal/wholefile"
	"axon/synapse/auth"
)

// Write puts a metagraph into a file, in the order given. Whoever reads the file
// meanwhile finds the old one or the whole new one. Neurons that could not be read again
// are refused with [ErrNeuron].
func Write(path string, neurons []Neuron) error {
	data, err := encode(neurons)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	err = wholefile.Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err != nil {
		return fmt.Errorf("write metagraph: %w", err)
	}
	return nil
}

func encode(neurons []Neuron) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(columnNames[:]) // into memory: nothing can fail
	uids, hotkeys := make(map[int]bool), make(map[auth.PublicKey]bool)
	for i, n := range neurons {
		if err := n.check(); err != nil {
			return nil, fmt.Errorf("%w: number %d: %w", ErrNeuron, i, err)
		}
		if uids[n.UID] || hotkeys[n.Hotkey] {
			return nil, fmt.Errorf("%w: number %d: uid %d or hotkey %v stands before it", ErrNeuron, i, n.UID, n.Hotkey)
		}
		uids[n.UID], hotkeys[n.Hotkey] = true, true
		_ = w.Write(n.record())
	}
	w.Flush()
	return b.Bytes(), nil
}

func (n Neuron) record() []string {
	record := make([]string, columnCount)
	record[columnUID] = strconv.Itoa(n.UID)
	record[columnHotkey] = n.Hotkey.Address()
	if n.Coldkey != (auth.PublicKey{}) {
		record[columnColdkey] = n.Coldkey.Address()
	}
	if n.IP.IsValid() {
		record[columnIP] = n.IP.String()
	}
	if n.Port != 0 {
		record[columnPort] = strconv.Itoa(int(n.Port))
	}
	record[columnStake] = strconv.FormatFloat(n.Stake, 'f', -1, 64)
	return record
}
