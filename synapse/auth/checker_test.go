package auth

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signed makes the headers of a request, as a server receives them.
func signed(t testing.TB, s *Signer, receiver PublicKey, format Format) map[string][]string {
	t.Helper()
	headers, err := s.Headers(receiver, format, Forward)
	require.NoError(t, err)
	received := make(map[string][]string)
	for name, value := range headers {
		received[name] = []string{value}
	}
	return received
}

func newSigner(t testing.TB, key *Key) *Signer {
	t.Helper()
	signer, err := NewSigner(key)
	require.NoError(t, err)
	return signer
}

func requireRefused(t *testing.T, err, reason error, message string) {
	t.Helper()
	var refusal *Refusal
	require.ErrorAs(t, err, &refusal)
	require.ErrorIs(t, err, reason)
	require.Equal(t, message, refusal.Message)
}

func TestRequestIsLetInOnce(t *testing.T) {
	client, server := newSigner(t, freshKey(t)), knownKey(t).Public()
	checker := newChecker(t, Options{Receiver: server, Now: time.Now})
	first := signed(t, client, server, FormatV2)
	second := signed(t, client, server, FormatV2)

	caller, err := checker.Check(MethodForward, first)
	require.NoError(t, err)
	require.Equal(t, client.key.Public(), caller.Hotkey)
	require.Equal(t, Forward, caller.Request)
	require.Equal(t, Version, caller.Version)
	require.Equal(t, client.receptor, caller.Receptor)

	_, err = checker.Check(MethodForward, first)
	requireRefused(t, err, ErrReplayed, "Nonce is too small")
	caller, err = checker.Check(MethodBackward, second)
	require.NoError(t, err)
	require.Equal(t, Backward, caller.Request)
	_, err = checker.Check(MethodForward, first)
	requireRefused(t, err, ErrReplayed, "Nonce is too small")
}

func TestRequestForSomebodyElse(t *testing.T) {
	client := newSigner(t, freshKey(t))
	checker := newChecker(t, Options{Receiver: knownKey(t).Public(), Now: time.Now})
	_, err := checker.Check(MethodForward, signed(t, client, freshKey(t).Public(), FormatV2))
	requireRefused(t, err, ErrMismatch, "Signature mismatch")
}

func TestFormatV1IsOffByDefault(t *testing.T) {
	client, server := newSigner(t, freshKey(t)), knownKey(t).Public()
	nonces, err := NewNonces(Limits{})
	require.NoError(t, err)
	_, err = newChecker(t, Options{Receiver: server, Nonces: nonces, Now: time.Now}).Check(MethodForward, signed(t, client, server, FormatV1))
	require.ErrorIs(t, err, ErrFormat)
	lenient := newChecker(t, Options{Receiver: server, Nonces: nonces, AllowV1: true, Now: time.Now})
	_, err = lenient.Check(MethodForward, signed(t, client, freshKey(t).Public(), FormatV1))
	require.NoError(t, err, "format 1 names no receiver")
}

func TestTamperedRequests(t *testing.T) {
	server := knownKey(t).Public()
	for name, c := range map[string]struct {
		change func(headers map[string][]string)
		reason error
	}{
		"no signature":       {func(h map[string][]string) { delete(h, HeaderSignature) }, ErrHeader},
		"two signatures":     {func(h map[string][]string) { h[HeaderSignature] = append(h[HeaderSignature], "x") }, ErrHeader},
		"a long signature":   {func(h map[string][]string) { h[HeaderSignature][0] += strings.Repeat("a", 512) }, ErrHeader},
		"no version":         {func(h map[string][]string) { delete(h, HeaderVersion) }, ErrHeader},
		"an old version":     {func(h map[string][]string) { h[HeaderVersion][0] = "369" }, ErrVersion},
		"a negative version": {func(h map[string][]string) { h[HeaderVersion][0] = "-370" }, ErrVersion},
		"a long version":     {func(h map[string][]string) { h[HeaderVersion][0] = strings.Repeat("0", 1000) + "370" }, ErrHeader},
		"another receptor":   {func(h map[string][]string) { h[HeaderSignature][0] += "1" }, ErrMismatch},
		"a long receptor":    {func(h map[string][]string) { h[HeaderSignature][0] += strings.Repeat("1", 40) }, ErrReceptor},
		"another nonce":      {func(h map[string][]string) { h[HeaderSignature][0] = "1" + h[HeaderSignature][0] }, ErrMismatch},
		"a nonce below zero": {func(h map[string][]string) { h[HeaderSignature][0] = "-" + h[HeaderSignature][0] }, ErrMismatch},
		"a nonce of 39":      {func(h map[string][]string) { h[HeaderSignature][0] = strings.Repeat("1", 20) + h[HeaderSignature][0] }, ErrFormat},
		"digits without 0x": {func(h map[string][]string) {
			h[HeaderSignature][0] = strings.Replace(h[HeaderSignature][0], "0x", "", 1)
		}, ErrSignature},
		"nothing but dots":  {func(h map[string][]string) { h[HeaderSignature][0] = "..." }, ErrFormat},
		"nothing but bitxx": {func(h map[string][]string) { h[HeaderSignature][0] = strings.Repeat("bitxx", 100) }, ErrFormat},
		"nobody's key": {func(h map[string][]string) {
			h[HeaderSignature][0] = strings.Replace(h[HeaderSignature][0], knownAddress, PublicKey{}.Address(), 1)
		}, ErrMismatch},
		"another sender's": {func(h map[string][]string) {
			h[HeaderSignature][0] = strings.Replace(h[HeaderSignature][0], knownAddress, freshKey(t).String(), 1)
		}, ErrMismatch},
		"a sender in letters": {func(h map[string][]string) {
			h[HeaderSignature][0] = strings.Replace(h[HeaderSignature][0], knownAddress, "me", 1)
		}, ErrAddress},
	} {
		client := newSigner(t, knownKey(t))
		checker := newChecker(t, Options{Receiver: server, Now: time.Now})
		headers := signed(t, client, server, FormatV2)
		c.change(headers)
		_, err := checker.Check(MethodForward, headers)
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal, name)
		require.ErrorIs(t, err, c.reason, name)
		require.Less(t, len(refusal.Message), 200, name)
		_, err = checker.Check(MethodForward, signed(t, client, server, FormatV2))
		require.NoError(t, err, "%s: a refused request uses nothing up", name)
	}
}

func TestNegativeNoncesAreBelowAllOthers(t *testing.T) {
	key, server := freshKey(t), knownKey(t).Public()
	c := claim{format: FormatV2, nonce: NonceOf(5), negative: true, sender: key.String(), receptor: "r"}
	signature, err := key.Sign(c.message(server.Address()))
	require.NoError(t, err)
	_, err = newChecker(t, Options{Receiver: server}).Check(MethodForward, map[string][]string{
		HeaderSignature: {"-" + c.header(signature)}, HeaderVersion: {"370"},
	})
	requireRefused(t, err, ErrReplayed, "Nonce is too small")
}

func TestReceptorsFromTheFuture(t *testing.T) {
	server := knownKey(t).Public()
	now := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	checker := newChecker(t, Options{Receiver: server, Now: func() time.Time { return now }})
	for _, ahead := range []time.Duration{-1000 * time.Hour, 0, clockSkew - time.Second} {
		client := newSigner(t, freshKey(t))
		client.receptor = NewReceptorID(now.Add(ahead))
		_, err := checker.Check(MethodForward, signed(t, client, server, FormatV2))
		require.NoError(t, err)
	}
	client := newSigner(t, freshKey(t))
	client.receptor = NewReceptorID(now.Add(clockSkew + time.Second))
	_, err := checker.Check(MethodForward, signed(t, client, server, FormatV2))
	require.ErrorIs(t, err, ErrReceptor)
}

func TestAdmission(t *testing.T) {
	client, server := newSigner(t, freshKey(t)), knownKey(t).Public()
	var refuse error
	checker := newChecker(t, Options{Receiver: server, Now: time.Now, Admit: func(Caller) error { return refuse }})
	refuse = errors.New("no stake")
	turnedAway := signed(t, client, server, FormatV2)
	_, err := checker.Check(MethodForward, turnedAway)
	requireRefused(t, err, ErrNotAdmitted, "no stake")
	_, err = checker.Check(MethodForward, turnedAway)
	requireRefused(t, err, ErrReplayed, "Nonce is too small")
	require.Empty(t, checker.options.Nonces.book.senders, "nothing is kept of callers who are not admitted")

	refuse = nil
	_, err = checker.Check(MethodForward, signed(t, client, server, FormatV2))
	require.NoError(t, err)
	_, err = checker.Check("/grpc.health.v1.Health/Check", signed(t, client, server, FormatV2))
	requireRefused(t, err, ErrMethod, "Unknown request type")
}

func TestRefusedCallersAreForgotten(t *testing.T) {
	memory := newRefusedNonces(2)
	uses := make([]use, 3)
	for i := range uses {
		uses[i] = newUse(PublicKey{byte(i + 1)}, "r", NonceOf(7))
		memory.remember(uses[i])
		memory.remember(uses[i])
	}
	require.Len(t, memory.last, 2)
	require.False(t, memory.used(uses[0]))
	require.True(t, memory.used(uses[1]))
	require.True(t, memory.used(uses[2]))
}

func TestSameRequestManyTimesAtOnce(t *testing.T) {
	client, server := newSigner(t, freshKey(t)), knownKey(t).Public()
	nonces, err := OpenNonces(t.TempDir()+"/nonces", Limits{NoSync: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, nonces.Close()) }()
	checker := newChecker(t, Options{Receiver: server, Nonces: nonces, Now: time.Now})
	headers := signed(t, client, server, FormatV2)
	var accepted atomic.Int32
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if _, err := checker.Check(MethodForward, headers); err == nil {
				accepted.Add(1)
			}
		})
	}
	group.Wait()
	require.EqualValues(t, 1, accepted.Load())
}

func TestNoncesGrowWhateverTheClockDoes(t *testing.T) {
	client := newSigner(t, freshKey(t))
	times := []int64{100, 100, 50, 200, 199}
	client.now = func() time.Time { first := times[0]; times = times[1:]; return time.Unix(0, first) }
	for _, want := range []uint64{100, 101, 102, 200, 201} {
		require.Equal(t, want, client.nextNonce())
	}
}

func TestSpellingsOfNonces(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "007": "7", "+1_000": "1000", "-0": "0",
		"99999999999999999999999999999999999999": "99999999999999999999999999999999999999",
		"18446744073709551616":                   "18446744073709551616",
	} {
		nonce, negative, err := parseNonce(text)
		require.NoError(t, err, text)
		require.False(t, negative)
		require.Equal(t, want, nonce.String())
	}
	spaced, _, err := parseNonce(" 12\t")
	require.NoError(t, err)
	require.Equal(t, NonceOf(12), spaced)
	for _, text := range []string{
		"", " ", "+", "--1", "+-1", "1__0", "_1", "1_", "1 0", "0x10", "1e9", "1.0", "٣", "100000000000000000000000000000000000000",
		strings.Repeat("0", 60), strings.Repeat(" ", 70) + "1",
	} {
		_, _, err := parseNonce(text)
		require.Error(t, err, fmt.Sprintf("%q", text))
	}
	require.Equal(t, Nonce{hi: 1}, NonceOf(1<<64-1).next())
	require.Positive(t, Nonce{hi: 1}.Compare(NonceOf(5)))
}

func TestReceptorIDs(t *testing.T) {
	now := time.Date(2026, 5, 4, 3, 2, 1, 1234500, time.UTC)
	id := NewReceptorID(now)
	require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, id)
	ticks, ok := receptorTime(id)
	require.True(t, ok)
	require.Equal(t, uuidTicks(now), ticks)
	require.NotEqual(t, id, NewReceptorID(now))

	ticks, ok = receptorTime("5ecbd69c-1cec-11ee-b0dc-e29ce36fec1a")
	require.True(t, ok)
	require.Equal(t, "2023-07-07", time.Unix(0, int64(ticks-uuidEpoch)*100).UTC().Format(time.DateOnly))
	for _, id := range []string{"", "x", "5ecbd69c-1cec-41ee-b0dc-e29ce36fec1a", "5ecbd69c-1cec-11ee-00dc-e29ce36fec1a", "5ecbd69c1cec-11ee-b0dc-e29ce36fec1a-", "5ecbd69g-1cec-11ee-b0dc-e29ce36fec1a"} {
		_, ok := receptorTime(id)
		require.False(t, ok, id)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := NewChecker(Options{})
	require.ErrorIs(t, err, ErrOptions)
	require.Contains(t, err.Error(), "hotkey")
	require.Contains(t, err.Error(), "memory")
	_, err = NewNonces(Limits{Senders: -1, Connections: -2})
	require.ErrorIs(t, err, ErrOptions)
	_, err = NewSigner(PublicOnly(PublicKey{1}))
	require.ErrorIs(t, err, ErrNoSecret)
	_, err = newSigner(t, freshKey(t)).Headers(PublicKey{1}, 3, Forward)
	require.ErrorIs(t, err, ErrFormat)
}
