package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"axon/internal/gguf"
)

// fingerprintEdge is how much of each end of a tensor is looked at, in bytes.
const fingerprintEdge = 4096

// modelFingerprint identifies the model that the flags name without reading all of
// it: the SHA-256, over its files in order, of the file's size (eight bytes,
// little-endian), everything before the tensor data, and the first and the last 4096
// bytes of each tensor. Models that differ in a key, in the vocabulary, or in any
// tensor as training changes it, have different ones.
func modelFingerprint(c *cli.Context) (string, error) {
	o, err := modelOptions(c)
	if err != nil {
		return "", err
	}
	f, err := openHeader(o)
	if err != nil {
		return "", err
	}
	parts, err := gguf.Parts(f)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, part := range append([]*gguf.File{f}, parts...) {
		if err := sampleModel(sum, part, o.Data); err != nil {
			return "", fmt.Errorf("fingerprint of %s: %w", nameOf(o), err)
		}
	}
	return hexSum(sum), nil
}

func hexSum(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// sampleModel hashes one file, or the data that stands for it.
func sampleModel(sum hash.Hash, f *gguf.File, data []byte) error {
	var r io.ReaderAt = bytes.NewReader(data)
	if f.Path != "" {
		file, err := os.Open(f.Path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		r = file
	}
	sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(f.Size)))
	if err := sample(sum, r, 0, min(f.DataOffset, f.Size)); err != nil {
		return err
	}
	for _, t := range f.Tensors {
		at := f.DataOffset + int64(t.Offset)
		edge := min(t.Size, fingerprintEdge)
		if err := sample(sum, r, at, edge); err != nil {
			return err
		}
		if err := sample(sum, r, at+t.Size-edge, edge); err != nil {
			return err
		}
	}
	return nil
}

func sample(sum hash.Hash, r io.ReaderAt, at, n int64) error {
	_, err := io.CopyN(sum, io.NewSectionReader(r, at, n), n)
	return err
}

// rowFlags are the flags of the engine that change what a row says by more than its
// last digits, with the values that change nothing.
var rowFlags = map[string]string{
	"cache-type-k": "f16", "cache-type-v": "f16",
	"rope-scaling": "", "rope-freq-base": "0", "rope-freq-scale": "0", "yarn-orig-ctx": "0",
	"yarn-ext-factor": "-1", "yarn-attn-factor": "0", "yarn-beta-fast": "0", "yarn-beta-slow": "0",
}

// rowSettings are those of them that were given, and the adapters.
func rowSettings(c *cli.Context) (map[string]string, error) {
	settings := map[string]string{}
	for name, usual := range rowFlags {
		if v := fmt.Sprint(c.Value(name)); v != usual {
			settings[name] = v
		}
	}
	var adapters []string
	for _, l := range c.StringSlice("lora") {
		a := parseAdapter(l)
		f, err := gguf.Open(a.Path)
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		if err := sampleModel(sum, f, nil); err != nil {
			return nil, fmt.Errorf("fingerprint of %s: %w", a.Path, err)
		}
		adapters = append(adapters, fmt.Sprintf("%v × %s", a.Scale, hexSum(sum)))
	}
	if len(adapters) > 0 {
		settings["lora"] = strings.Join(adapters, ", ")
	}
	return settings, nil
}
