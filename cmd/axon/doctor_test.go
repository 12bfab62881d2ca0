package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/internal/doctor"
)

func TestDoctorSaysWhatThereIs(t *testing.T) {
	o := runAxon(t, "doctor")
	require.Zero(t, o.code, o.stderr)
	for _, words := range []string{"\nfound\n", "\nused\n", "\nself-test\n", "llama.cpp", "axon-3m", "ms a token", "Package sort provides"} {
		require.Contains(t, o.stdout, words)
	}
}

func TestDoctorAsJSON(t *testing.T) {
	o := runAxon(t, "doctor", "--json", "--no-test", "--threads", "1")
	require.Zero(t, o.code, o.stderr)
	var r doctor.Report
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &r))
	require.Equal(t, 1, r.Used.Threads)
	require.Nil(t, r.SelfTest)
}

func TestDoctorNamesTheNextStep(t *testing.T) {
	o := runAxon(t, "doctor", "--no-test", "--device", "CUDA9")
	require.Equal(t, 1, o.code)
	requireOneLine(t, o)
	require.Contains(t, o.stdout, "error: unknown device \"CUDA9\"\n    → choose one of: CPU")
}

func TestDevices(t *testing.T) {
	o := runAxon(t, "devices")
	require.Zero(t, o.code, o.stderr)
	require.Regexp(t, `(?m)^NAME +TYPE +BACKEND +FREE +TOTAL +DESCRIPTION$`, o.stdout)
	require.Regexp(t, `(?m)^CPU +CPU +CPU +`, o.stdout)

	o = runAxon(t, "devices", "--json")
	require.Zero(t, o.code, o.stderr)
	var list []doctor.Device
	require.NoError(t, json.Unmarshal([]byte(o.stdout), &list))
	require.NotEmpty(t, list)
}

func TestUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 668779315: "637.8 MiB", 1 << 40: "1.0 TiB"} {
		require.Equal(t, want, sizeText(n))
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1.00 K", 3443136: "3.44 M", 1100048384: "1.10 B"} {
		require.Equal(t, want, countText(n))
	}
	require.Equal(t, "-", knownSize(0))
}
