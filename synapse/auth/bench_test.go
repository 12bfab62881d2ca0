package auth

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkCheck measures what letting one request in costs, and what refusing a forged
// one does: two attempts at its signature.
func BenchmarkCheck(b *testing.B) {
	server := knownKey(b).Public()
	b.Run("accepted", func(b *testing.B) {
		nonces := openNonces(b, filepath.Join(b.TempDir(), "nonces"), Limits{NoSync: true})
		defer func() { require.NoError(b, nonces.Close()) }()
		checker := newChecker(b, Options{Receiver: server, Nonces: nonces, Now: time.Now})
		client := newSigner(b, freshKey(b))
		for b.Loop() {
			b.StopTimer()
			headers := signed(b, client, server, FormatV2)
			b.StartTimer()
			if _, err := checker.Check(MethodForward, headers); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("forged", func(b *testing.B) {
		checker := newChecker(b, Options{Receiver: server, Now: time.Now})
		headers := signed(b, newSigner(b, freshKey(b)), freshKey(b).Public(), FormatV2)
		for b.Loop() {
			if _, err := checker.Check(MethodForward, headers); err == nil {
				b.Fatal("accepted")
			}
		}
	})
}

// BenchmarkSnapshot measures what writing a full memory anew keeps others waiting.
func BenchmarkSnapshot(b *testing.B) {
	limits := Limits{}.withDefaults()
	book := newBook(limits)
	for s := range limits.Senders {
		for c := range limits.Connections {
			book.remember(newUse(PublicKey{byte(s >> 8), byte(s)}, string(rune(c)), NonceOf(1)))
		}
	}
	b.SetBytes(int64(len(snapshotOf(book))))
	for b.Loop() {
		_ = snapshotOf(book)
	}
}
