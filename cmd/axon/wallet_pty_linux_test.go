package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"axon/synapse/auth"
)

// openTerminal gives both ends of a terminal: what programs see, and what a person sees.
func openTerminal(t *testing.T) (program, person *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	fd := int(person.Fd())
	require.NoError(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	require.NoError(t, err)
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return program, person
}

func TestWalletShowsNewWordsOnATerminal(t *testing.T) {
	program, person := openTerminal(t)
	path := filepath.Join(t.TempDir(), "key")
	c := axonCommand(t, "wallet", "new", "--key-file", path)
	c.Stderr = program
	out, err := c.Output()
	require.NoError(t, err)
	require.NoError(t, program.Close())

	words := wordsIn(t, path)
	require.Contains(t, readTerminal(person), words)
	require.NotContains(t, string(out), words)
}

func TestWordsTypedOnATerminalDoNotShow(t *testing.T) {
	program, person := openTerminal(t)
	path := filepath.Join(t.TempDir(), "key")
	c := axonCommand(t, "wallet", "new", "--key-file", path, "--mnemonic-file", "-")
	c.Stdin, c.Stderr = program, program
	require.NoError(t, c.Start())
	requireShown(t, person, "words: ") // the echo is off before that stands there, or soon after
	waitNoEcho(t, program)
	_, err := person.WriteString(testWords + "\n")
	require.NoError(t, err)
	require.NoError(t, c.Wait())
	require.NoError(t, program.Close())
	require.NotContains(t, readTerminal(person), "curtain")
	key, err := auth.ReadKeyFile(path)
	require.NoError(t, err)
	require.Equal(t, testAddress, key.String())
}

// requireShown reads until a text has appeared.
func requireShown(t *testing.T, person *os.File, text string) {
	t.Helper()
	var seen []byte
	buf := make([]byte, 1)
	for !bytes.Contains(seen, []byte(text)) {
		_, err := person.Read(buf)
		require.NoError(t, err, string(seen))
		seen = append(seen, buf...)
	}
}

func waitNoEcho(t *testing.T, terminal *os.File) {
	t.Helper()
	require.Eventually(t, func() bool {
		state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
		return err == nil && state.Lflag&unix.ECHO == 0
	}, time.Minute, time.Millisecond)
}

// readTerminal reads what was shown after all programs have closed it: then reading fails.
func readTerminal(person *os.File) string {
	var seen bytes.Buffer
	_, _ = seen.ReadFrom(person)
	return seen.String()
}
