package auth

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzCheck looks for headers on which checking panics, or that get in unsigned. What is
// read of a header and written again means the same.
func FuzzCheck(f *testing.F) {
	key := knownKey(f)
	for _, format := range []Format{FormatV1, FormatV2} {
		headers := signed(f, newSigner(f, key), freshKey(f).Public(), format)
		f.Add(headers[HeaderSignature][0], headers[HeaderVersion][0])
	}
	f.Add(" -1_0.a.0xbitxxb.", "+371 ")
	checker := newChecker(f, Options{Receiver: key.Public(), Now: time.Now, Admit: func(Caller) error { return NotAdmitted() }})
	f.Fuzz(func(t *testing.T, value, version string) {
		_, err := checker.Check(MethodForward, map[string][]string{HeaderSignature: {value}, HeaderVersion: {version}})
		var refusal *Refusal
		require.ErrorAs(t, err, &refusal)
		require.NotErrorIs(t, err, ErrNotAdmitted, "it is asked behind the signature, and none of these fits")
		c, digits, err := parseClaim(value)
		if err != nil || c.negative {
			return
		}
		signature, err := ParseSignature(digits)
		if err != nil {
			return
		}
		again, digits, err := parseClaim(c.header(signature))
		require.NoError(t, err)
		require.Equal(t, signature.String(), digits)
		if !strings.Contains(c.sender+c.receptor, separatorV2) {
			require.Equal(t, c, again)
		}
	})
}

// FuzzParsePublicKey looks for two spellings of one address.
func FuzzParsePublicKey(f *testing.F) {
	f.Add(knownAddress)
	f.Add("0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")
	f.Add("VdvKmYJfD4VXA9fzz1SbmCo2eYHSzUFbaDCZSuaNKJAe8YNg6")
	f.Add("11111111111111111111111111111111111")
	f.Fuzz(func(t *testing.T, text string) {
		key, format, err := parseAddress(text)
		if err != nil {
			_, err = ParsePublicKey(text)
			if err == nil {
				require.True(t, strings.HasPrefix(text, "0x"))
			}
			return
		}
		again, err := key.AddressIn(format)
		require.NoError(t, err)
		require.Equal(t, text, again)
	})
}

// FuzzParseKeyFile looks for files on which reading panics, or whose keys do not come
// back as they were written.
func FuzzParseKeyFile(f *testing.F) {
	f.Add(marshalKeyFile(knownKey(f)))
	f.Add(marshalKeyFile(PublicOnly(knownKey(f).Public())))
	f.Add([]byte(`{"secretPhrase": "` + knownWords + `"}`))
	f.Add([]byte("0xd43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d\n"))
	f.Add([]byte("gAAAAABk"))
	f.Fuzz(func(t *testing.T, data []byte) {
		key, err := ParseKeyFile(data)
		if err != nil {
			require.True(t, errors.Is(err, ErrKeyFile) || errors.Is(err, ErrEncrypted))
			return
		}
		again, err := ParseKeyFile(marshalKeyFile(key))
		require.NoError(t, err)
		require.Equal(t, key.Public(), again.Public())
		require.Equal(t, key.CanSign(), again.CanSign())
	})
}

// FuzzReplay looks for journals that break the limits, or that a snapshot does not give back.
func FuzzReplay(f *testing.F) {
	data, _ := journalOf(5)
	f.Add(data)
	f.Add(data[:len(data)-1])
	f.Fuzz(func(t *testing.T, data []byte) {
		data = sealRecords(bytes.Clone(data))
		b := newBook(Limits{Senders: 3, Connections: 2})
		if replayAll(bytes.NewReader(data), b) != nil {
			return
		}
		require.LessOrEqual(t, len(b.senders), 3)
		snapshot := snapshotOf(b)
		again := newBook(b.limits)
		require.NoError(t, replayAll(bytes.NewReader(snapshot), again))
		require.True(t, bytes.Equal(snapshot, snapshotOf(again)))
	})
}

// sealRecords makes all checksums right, so that what stands behind them is reached.
func sealRecords(data []byte) []byte {
	for at := len(fileHeader); at+recordSize <= len(data); at += recordSize {
		r := data[at : at+recordSize]
		binary.BigEndian.PutUint32(r[sumOffset:], crc32.Checksum(r[:sumOffset], castagnoli))
	}
	return data
}
