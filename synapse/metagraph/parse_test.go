package metagraph

import (
	"bytes"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse/auth"
)

const (
	header = "uid,hotkey,coldkey,ip,port,stake\n"
	key    = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV"
	other  = "0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
)

func parseText(text string) ([]Neuron, error) { return Parse(strings.NewReader(text)) }

func publicKey(t testing.TB, text string) auth.PublicKey {
	t.Helper()
	k, err := auth.ParsePublicKey(text)
	require.NoError(t, err)
	return k
}

func TestParse(t *testing.T) {
	full := Neuron{3, publicKey(t, key), publicKey(t, other), netip.MustParseAddr("2001:db8::1"), 8091, 1.5}
	sparse := Neuron{UID: 0, Hotkey: publicKey(t, other), Stake: 0}
	for name, text := range map[string]string{
		"plain":            header + "3," + key + "," + other + ",2001:db8::1,8091,1.5\n0," + other + ",,,,0\n",
		"another order":    "stake,port,ip,coldkey,hotkey,uid\n1.5,8091,2001:db8::1," + other + "," + key + ",3\n0,,,," + other + ",0\n",
		"further columns":  "rank,uid,hotkey,coldkey,ip,port,stake,note\n9,3," + key + "," + other + ",2001:db8::1,8091,15e-1,\"a, b\"\n,0," + other + ",,,,0,\n",
		"blanks and marks": "\ufeffuid , hotkey,coldkey,ip,port,stake\r\n3, " + key + " ," + other + ",2001:db8::1,8091,1.5\r\n\r\n0," + other + ",,,,0",
	} {
		got, err := parseText(text)
		require.NoError(t, err, name)
		require.Equal(t, []Neuron{full, sparse}, got, name)
	}
	got, err := parseText(header)
	require.NoError(t, err, "a network of nobody")
	require.Empty(t, got)
}

func TestWhatIsNoMetagraph(t *testing.T) {
	line := "0," + key + ",,,,1\n"
	for name, c := range map[string]struct{ text, words string }{
		"nothing":              {"", "it is empty"},
		"no header":            {line, "no column uid"},
		"a column missing":     {"uid,hotkey,coldkey,ip,port\n", "no column stake"},
		"a column twice":       {"uid,uid,hotkey,coldkey,ip,port,stake\n", "twice"},
		"a short line":         {header + line + "1," + other + "\n", "line 3"},
		"a quote open":         {header + line + "\"1," + other, "line 3"},
		"a uid in letters":     {header + "a," + key + ",,,,1\n", `line 2: uid "a"`},
		"a uid below zero":     {header + "-1," + key + ",,,,1\n", "uid -1 is not within 0 and 65535"},
		"a uid too high":       {header + "65536," + key + ",,,,1\n", "uid 65536"},
		"a uid twice":          {header + line + "\n0," + other + ",,,,1\n", "line 4: uid 0 stands in line 2 already"},
		"no hotkey":            {header + "0,,,,,1\n", "hotkey"},
		"nobody's hotkey":      {header + "0,0x" + strings.Repeat("0", 64) + ",,,,1\n", "no hotkey"},
		"a hotkey mistyped":    {header + "0," + strings.Replace(key, "f", "F", 1) + ",,,,1\n", "checksum"},
		"a hotkey twice":       {header + line + "1," + key + ",,,,1\n", "line 3: hotkey " + key + " stands in line 2 already"},
		"a coldkey mistyped":   {header + "0," + key + ",x,,,1\n", "coldkey"},
		"a name for an ip":     {header + "0," + key + ",,localhost,,1\n", `ip "localhost"`},
		"an ip with a zone":    {header + "0," + key + ",,fe80::1%eth0,,1\n", "zone"},
		"a port too high":      {header + "0," + key + ",,,65536,1\n", "port"},
		"a negative port":      {header + "0," + key + ",,,-1,1\n", "port"},
		"no stake":             {header + "0," + key + ",,,,\n", "stake"},
		"a stake below zero":   {header + "0," + key + ",,,,-1\n", "stake -1"},
		"a stake that is none": {header + "0," + key + ",,,,NaN\n", "stake NaN"},
		"a stake without end":  {header + "0," + key + ",,,,Inf\n", "stake +Inf"},
		"an absurd stake":      {header + "0," + key + ",,,,1e999\n", "stake"},
	} {
		_, err := parseText(c.text)
		require.ErrorIs(t, err, ErrFile, name)
		require.ErrorContains(t, err, c.words, name)
		require.Less(t, len(err.Error()), 300, name)
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestFilesWithoutEndAreNotReadToTheEnd(t *testing.T) {
	_, err := Parse(io.MultiReader(strings.NewReader(header), zeros{}))
	require.ErrorIs(t, err, ErrFile)
	require.ErrorContains(t, err, "more than 33554432 bytes")
}

func TestAddresses(t *testing.T) {
	ip := netip.MustParseAddr
	require.Equal(t, "203.0.113.7:8091", Neuron{IP: ip("203.0.113.7"), Port: 8091}.Address())
	require.Equal(t, "[2001:db8::1]:8091", Neuron{IP: ip("2001:db8::1"), Port: 8091}.Address())
	for _, n := range []Neuron{{}, {Port: 8091}, {IP: ip("203.0.113.7")}, {IP: ip("0.0.0.0"), Port: 8091}} {
		require.Empty(t, n.Address())
	}
}

func TestWriteRefusesWhatCouldNotBeRead(t *testing.T) {
	good := someNeurons(2)
	for name, change := range map[string]func([]Neuron){
		"two of a uid":       func(n []Neuron) { n[1].UID = 0 },
		"two of a hotkey":    func(n []Neuron) { n[1].Hotkey = n[0].Hotkey },
		"no hotkey":          func(n []Neuron) { n[1].Hotkey = auth.PublicKey{} },
		"a uid too high":     func(n []Neuron) { n[1].UID = maxUID + 1 },
		"a stake of nothing": func(n []Neuron) { n[1].Stake = math.NaN() },
	} {
		list := append([]Neuron{}, good...)
		change(list)
		folder := t.TempDir()
		require.ErrorIs(t, Write(filepath.Join(folder, "m.csv"), list), ErrNeuron, name)
		left, err := os.ReadDir(folder)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	require.ErrorIs(t, Write(filepath.Join(t.TempDir(), "missing", "m.csv"), good), os.ErrNotExist)
}

// FuzzParse looks for files on which reading panics, or that do not come back when they
// are written.
func FuzzParse(f *testing.F) {
	f.Add([]byte(header + "3," + key + "," + other + ",2001:db8::1,8091,1.5\n0," + other + ",,,,0\n"))
	f.Add([]byte("\ufeffstake,port,ip,coldkey,hotkey,uid,\"x\"\n1e3,1,::ffff:1.2.3.4,," + other + ",7,\"\"\n"))
	f.Add([]byte(header + "0," + key + ",,,,-0x1p-2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		neurons, err := Parse(bytes.NewReader(data))
		if err != nil {
			require.ErrorIs(t, err, ErrFile)
			return
		}
		written, err := encode(neurons)
		require.NoError(t, err)
		again, err := Parse(bytes.NewReader(written))
		require.NoError(t, err)
		require.Equal(t, neurons, again)
	})
}
