package bench

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script is a runner that writes down when it was called.
type script struct {
	name string
	log  *[]string
	fail error
}

func (s *script) note(what string) {
	if s.log != nil {
		*s.log = append(*s.log, s.name+" "+what)
	}
}

func (s *script) Name() string               { return s.name }
func (s *script) Close() error               { return nil }
func (s *script) Warm(context.Context) error { s.note("warms"); return nil }
func (s *script) Run(context.Context) (time.Duration, error) {
	s.note("runs")
	return time.Second, s.fail
}

func TestRunAlternates(t *testing.T) {
	var log []string
	ticks := 0
	s, err := Run(context.Background(), 2, &script{name: "a", log: &log}, &script{name: "b", log: &log}, func() { ticks++ })
	require.NoError(t, err)
	require.Equal(t, []string{"a warms", "a runs", "b warms", "b runs", "b warms", "b runs", "a warms", "a runs"}, log)
	require.Equal(t, 4, ticks)
	require.Len(t, s.Ours, 2)
	require.Len(t, s.Peer, 2)
}

func TestAloneWarmsUpOnce(t *testing.T) {
	var log []string
	s, err := Run(context.Background(), 3, &script{name: "a", log: &log}, nil, func() {})
	require.NoError(t, err)
	require.Equal(t, []string{"a warms", "a runs", "a runs", "a runs"}, log)
	require.Len(t, s.Ours, 3)
	require.Empty(t, s.Peer)
}

func TestAFailureNamesTheProgram(t *testing.T) {
	broken := errors.New("broken")
	_, err := Run(context.Background(), 1, &script{name: "a", fail: broken}, nil, func() {})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "a: ")
}
