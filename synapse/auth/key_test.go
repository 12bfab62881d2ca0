package auth

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The words of a key that everybody knows, and the key of //Alice's sister.
const (
	knownWords   = "bottom drive obey lake curtain smoke basket hold race lonely fit walk"
	knownSeed    = "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e"
	knownAddress = "5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV"
)

func knownKey(t testing.TB) *Key {
	t.Helper()
	key, err := KeyFromMnemonic(knownWords)
	require.NoError(t, err)
	return key
}

func freshKey(t testing.TB) *Key {
	t.Helper()
	key, err := NewKey()
	require.NoError(t, err)
	return key
}

func TestKeyOfKnownWords(t *testing.T) {
	key := knownKey(t)
	require.Equal(t, knownAddress, key.Public().Address())
	require.Equal(t, knownSeed, formatHex(key.secret().seed[:]))
	parsed, err := ParseHotkey(knownAddress)
	require.NoError(t, err)
	require.Equal(t, key.Public(), parsed)
}

func TestNewKeysDiffer(t *testing.T) {
	a, b := freshKey(t), freshKey(t)
	require.NotEqual(t, a.Public(), b.Public())
	require.Len(t, strings.Fields(a.RevealMnemonic()), 12)
	again, err := KeyFromMnemonic("  " + strings.ReplaceAll(a.RevealMnemonic(), " ", "\n ") + " ")
	require.NoError(t, err)
	require.Equal(t, a.Public(), again.Public())
	require.Equal(t, a.RevealMnemonic(), again.RevealMnemonic())
}

func TestMnemonicsRoundTrip(t *testing.T) {
	for _, size := range []int{16, 20, 24, 28, 32} {
		for _, fill := range []byte{0, 0x7f, 0xff} {
			entropy := bytes.Repeat([]byte{fill}, size)
			words, err := mnemonicFromEntropy(entropy)
			require.NoError(t, err)
			back, err := entropyFromMnemonic(words)
			require.NoError(t, err)
			require.Equal(t, entropy, back)
		}
	}
}

func TestMnemonicsOfStandard(t *testing.T) { // from the vectors of BIP-39
	for entropy, want := range map[string]string{
		"00000000000000000000000000000000":                                 "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about",
		"80808080808080808080808080808080":                                 "letter advice cage absurd amount doctor acoustic avoid letter advice cage above",
		"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff": "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo vote",
	} {
		raw, err := hex.DecodeString(entropy)
		require.NoError(t, err)
		words, err := mnemonicFromEntropy(raw)
		require.NoError(t, err)
		require.Equal(t, want, words)
	}
}

func TestBadMnemonics(t *testing.T) {
	for name, words := range map[string]string{
		"none": "", "one": "bottom", "eleven": strings.TrimSuffix(knownWords, " walk"),
		"unknown word":   strings.Replace(knownWords, "lake", "xyzzy", 1),
		"swapped":        strings.Replace(knownWords, "lake curtain", "curtain lake", 1),
		"27 words":       strings.Repeat("zoo ", 27),
		"without bounds": strings.Repeat(" ", 10_000) + knownWords,
	} {
		_, err := KeyFromMnemonic(words)
		require.ErrorIs(t, err, ErrMnemonic, name)
		require.NotContains(t, err.Error(), "xyzzy", name)
	}
}

func TestSignAndVerify(t *testing.T) {
	key := knownKey(t)
	a, err := key.Sign([]byte("message"))
	require.NoError(t, err)
	b, err := key.Sign([]byte("message"))
	require.NoError(t, err)
	require.NotEqual(t, a, b, "signatures are randomised")
	require.True(t, key.Public().Verify([]byte("message"), a))
	require.True(t, key.Public().Verify([]byte("message"), b))
	require.False(t, key.Public().Verify([]byte("Message"), a))
	require.False(t, freshKey(t).Public().Verify([]byte("message"), a))

	_, err = PublicOnly(key.Public()).Sign([]byte("message"))
	require.ErrorIs(t, err, ErrNoSecret)
}

// With the neutral element as key and as R, and s = 0, the equation of a signature holds
// for any message.
func TestNobodysKeySignsNothing(t *testing.T) {
	var forged Signature
	forged[63] = 0x80
	require.False(t, PublicKey{}.Verify([]byte("message"), forged))
}

func TestSecretsDoNotShow(t *testing.T) {
	key := knownKey(t)
	seed := strings.TrimPrefix(knownSeed, "0x")
	type holder struct{ key *Key }
	type byValue struct{ Key Key }

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%T", "%p", "%c"} {
		fmt.Fprintf(&out, verb+"\n", key)
		fmt.Fprintf(&out, verb+"\n", *key)
		fmt.Fprintf(&out, verb+"\n", holder{key})
		fmt.Fprintf(&out, verb+"\n", byValue{*key})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		log := slog.New(handler)
		log.Info("key", "key", key, "value", *key, "inside", holder{key}, "copy", byValue{*key})
	}
	for _, value := range []any{key, *key, holder{key}, byValue{*key}} {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		out.Write(text)
	}
	require.Contains(t, out.String(), knownAddress)
	shown := strings.ToLower(out.String())
	require.NotContains(t, shown, "curtain")
	require.NotContains(t, shown, seed[:16])
	require.NotContains(t, shown, hex.EncodeToString([]byte("curtain")))
	raw := key.secret().seed
	require.NotContains(t, shown, fmt.Sprintf("%d %d %d %d", raw[0], raw[1], raw[2], raw[3]))
}

func TestKeyFiles(t *testing.T) {
	path, err := HotkeyPath(filepath.Join(t.TempDir(), "wallets"), "default", "first")
	require.NoError(t, err)
	require.NoError(t, WriteKeyFile(path, knownKey(t)))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	public := knownKey(t).Public().Hex()
	require.Equal(t, `{"accountId": "`+public+`", "publicKey": "`+public+`", "secretPhrase": "`+knownWords+
		`", "secretSeed": "`+knownSeed+`", "ss58Address": "`+knownAddress+`"}`, string(data))

	key, err := ReadKeyFile(path)
	require.NoError(t, err)
	require.Equal(t, knownAddress, key.String())
	require.True(t, key.CanSign())

	require.ErrorIs(t, WriteKeyFile(path, freshKey(t)), ErrKeyExists)
	unchanged, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, data, unchanged)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left behind")
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
}

func TestKeyFilesThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"nothing":             {"", ErrKeyFile},
		"null":                {"null", ErrKeyFile},
		"a number for a seed": {`{"secretSeed": 5, "ss58Address": "` + knownAddress + `"}`, ErrKeyFile},
		"an empty seed":       {`{"secretSeed": "", "ss58Address": "` + knownAddress + `"}`, ErrSeed},
		"a long seed":         {`{"secretSeed": "` + knownSeed + `00"}`, ErrSeed},
		"wrong digits":        {`{"secretSeed": "` + strings.Replace(knownSeed, "f", "g", 1) + `"}`, ErrSeed},
		"other capitals":      {`{"SecretSeed": "` + knownSeed + `"}`, ErrKeyFile},
		"a short public key":  {"0x1234", ErrPublicKey},
		"nested without end":  {strings.Repeat("[", 60_000), ErrKeyFile},
		"ansible":             {"$ANSIBLE_VAULT;1.1;AES256\n6162", ErrEncrypted},
		"fernet":              {"gAAAAABk", ErrEncrypted},
	} {
		_, err := ParseKeyFile([]byte(c.data))
		require.ErrorIs(t, err, c.want, name)
		require.NotContains(t, err.Error(), knownSeed[8:24], name)
	}
}

func TestFilesThatAreNoKeyFiles(t *testing.T) {
	folder := t.TempDir()
	_, err := ReadKeyFile(filepath.Join(folder, "missing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadKeyFile(folder)
	require.ErrorIs(t, err, ErrKeyFile)
	long := filepath.Join(folder, "long")
	require.NoError(t, os.WriteFile(long, make([]byte, keyFileLimit+1), 0o600))
	_, err = ReadKeyFile(long)
	require.ErrorIs(t, err, ErrKeyFile)
}

func TestHotkeyPaths(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "a\x00", strings.Repeat("a", 129)} {
		_, err := HotkeyPath("wallets", name, "default")
		require.ErrorIs(t, err, ErrName, name)
		_, err = HotkeyPath("wallets", "default", name)
		require.ErrorIs(t, err, ErrName, name)
	}
}

func TestAddresses(t *testing.T) {
	for _, text := range []string{
		"", "1", strings.Repeat("1", 65), knownAddress + "1", "1" + knownAddress, knownAddress[1:],
		strings.Replace(knownAddress, "f", "F", 1), " " + knownAddress, "0x", "0x" + strings.Repeat("z", 64),
	} {
		_, err := ParsePublicKey(text)
		require.Error(t, err, text)
		_, err = ParseHotkey(text)
		require.ErrorIs(t, err, ErrAddress, text)
	}
	key := knownKey(t).Public()
	for _, format := range []int{-1, 46, 47, formatLimit} {
		_, err := key.AddressIn(format)
		require.ErrorIs(t, err, ErrAddress)
	}
	for format := range formatLimit {
		if format == 46 || format == 47 {
			continue
		}
		address, err := key.AddressIn(format)
		require.NoError(t, err)
		back, f, err := parseAddress(address)
		require.NoError(t, err)
		require.Equal(t, key, back)
		require.Equal(t, format, f)
		if format != NetworkFormat {
			_, err = ParseHotkey(address)
			require.ErrorIs(t, err, ErrAddress)
		}
	}
}
