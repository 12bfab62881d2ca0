package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/bench"
)

// smallAttacks measures what is measured quickly.
const smallAttacks = "bench attacks --quick -m axon-70k --base axon-70k "

func TestBenchAttacks(t *testing.T) {
	o := runAxon(t, strings.Fields(smallAttacks+"--task next --attack silent --attack truncated")...)
	require.Zero(t, o.code, o.stderr)
	require.Contains(t, o.stdout, "| TextCausalLMNext | honest, axon-70k ")
	require.Contains(t, o.stdout, "| TextCausalLMNext | silent ")
	require.Equal(t, 2+4, strings.Count(o.stdout, "\n"), "a head, two attacks and two controls")

	o = runAxon(t, strings.Fields(smallAttacks+"--attack peeks --rounds 10 -o json")...)
	require.Zero(t, o.code, o.stderr)
	var rows []bench.AttackRow
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &rows))
	require.Len(t, rows, 4, "two controls of one task, and one with the attack of the other")
	for _, r := range rows {
		require.Equal(t, 10, r.Rounds)
		require.NotEmpty(t, r.Build)
		require.NotEmpty(t, r.Time)
		require.EqualValues(t, 1, r.Seed)
	}
}

func TestBadArgumentsOfBenchAttacks(t *testing.T) {
	for line, words := range map[string]string{
		"bench attacks peeks":           "--attack",
		"bench attacks --attack bribes": "there are honest, silent",
		"bench attacks --task all":      "must be next or causallm",
		"bench attacks --rounds 1":      "rounds of 1",
		"bench attacks --rounds 0":      "rounds of -1",
		"bench attacks --context 8":     "a context of 8",
		"bench attacks --quick -o yaml": "must be md, csv, json, jsonl",
	} {
		o := runAxon(t, strings.Fields(line)...)
		require.Equal(t, exitUsage, o.code, line)
		require.Contains(t, o.stderr, words, line)
	}
}
