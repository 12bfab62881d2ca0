package synth

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"axon/internal/gguf"
)

const (
	vocabPrefix = "ggml-vocab-"
	vocabSuffix = ".gguf"
)

// OpenVocab opens a vocabulary by path, or by its short name in dir, llama.cpp's
// models folder: "gpt-2" for ggml-vocab-gpt-2.gguf.
func OpenVocab(dir, name string) (*gguf.File, error) {
	path := name
	if !strings.HasSuffix(name, vocabSuffix) {
		path = filepath.Join(dir, vocabPrefix+name+vocabSuffix)
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("unknown vocabulary %q; in %s are %s", name, dir, strings.Join(VocabNames(dir), " "))
		}
	}
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	if err := gguf.CheckVocab(f).Err(path); err != nil {
		return nil, err
	}
	return f, nil
}

// VocabNames returns the short names of the vocabularies in dir.
func VocabNames(dir string) []string {
	paths, _ := filepath.Glob(filepath.Join(dir, vocabPrefix+"*"+vocabSuffix))
	names := make([]string, len(paths))
	for i, p := range paths {
		names[i] = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(p), vocabPrefix), vocabSuffix)
	}
	return names
}

// tokenizerKeys returns all keys of the tokenizer in the order of the file.
func tokenizerKeys(f *gguf.File) []gguf.KV {
	var kvs []gguf.KV
	for _, kv := range f.KVs {
		if strings.HasPrefix(kv.Key, "tokenizer.") {
			kvs = append(kvs, kv)
		}
	}
	return kvs
}
