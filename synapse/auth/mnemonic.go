package auth

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"
	"strings"

	"github.com/cosmos/go-bip39"
)

const (
	newEntropySize = 16 // bytes: twelve words
	wordBits       = 11
	mnemonicLimit  = 512 // bytes; 24 words of at most eight letters need 215
	// One bit of checksum stands behind 32 of entropy: 33 bits are three words.
	groupBits  = 33
	groupWords = groupBits / wordBits
)

// seedFromMnemonic derives the mini secret as substrate does: from the entropy that the
// words spell, where BIP-39 stretches the words themselves.
func seedFromMnemonic(words string) ([]byte, error) {
	entropy, err := entropyFromMnemonic(words)
	if err != nil {
		return nil, err
	}
	wide, err := pbkdf2.Key(sha512.New, string(entropy), []byte("mnemonic"), 2048, sha512.Size)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMnemonic, err)
	}
	return wide[:seedSize], nil
}

// entropyFromMnemonic reads the words and checks their checksum. Errors name places,
// never words.
func entropyFromMnemonic(words string) ([]byte, error) {
	if len(words) > mnemonicLimit {
		return nil, fmt.Errorf("%w: %d bytes exceed the limit %d", ErrMnemonic, len(words), mnemonicLimit)
	}
	list := strings.Fields(words)
	if len(list) < 12 || len(list) > 24 || len(list)%groupWords != 0 {
		return nil, fmt.Errorf("%w: %d words, where 12, 15, 18, 21 or 24 are needed", ErrMnemonic, len(list))
	}
	bits := new(big.Int)
	for i, word := range list {
		index, ok := bip39.ReverseWordMap[word]
		if !ok {
			return nil, fmt.Errorf("%w: word %d is not in the list", ErrMnemonic, i+1)
		}
		bits.Or(bits.Lsh(bits, wordBits), big.NewInt(int64(index)))
	}
	groups := uint(len(list) / groupWords)
	entropy := new(big.Int).Rsh(bits, groups).FillBytes(make([]byte, 4*groups))
	if withChecksum(entropy).Cmp(bits) != 0 {
		return nil, fmt.Errorf("%w: its checksum is wrong, perhaps for a wrong word", ErrMnemonic)
	}
	return entropy, nil
}

// mnemonicFromEntropy spells entropy of a multiple of four bytes in words.
func mnemonicFromEntropy(entropy []byte) (string, error) {
	if len(entropy) < 16 || len(entropy) > 32 || len(entropy)%4 != 0 {
		return "", fmt.Errorf("%w: of %d bytes of entropy", ErrMnemonic, len(entropy))
	}
	bits := withChecksum(entropy)
	list := make([]string, len(entropy)/4*groupWords)
	mask := big.NewInt(1<<wordBits - 1)
	for i := len(list) - 1; i >= 0; i-- {
		list[i] = bip39.WordList[new(big.Int).And(bits, mask).Int64()]
		bits.Rsh(bits, wordBits)
	}
	return strings.Join(list, " "), nil
}

// withChecksum appends one bit of SHA-256 for each four bytes.
func withChecksum(entropy []byte) *big.Int {
	groups := uint(len(entropy) / 4)
	sum := sha256.Sum256(entropy)
	bits := new(big.Int).SetBytes(entropy)
	return bits.Or(bits.Lsh(bits, groups), big.NewInt(int64(sum[0]>>(8-groups))))
}
