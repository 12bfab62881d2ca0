package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"axon/internal/gguf"
	"axon/internal/gguf/synth"
)

// byteVocabulary is the name of the vocabulary that needs no file.
const byteVocabulary = "bytes"

// openVocabulary finds a vocabulary: a GGUF file, or one of llama.cpp's by its
// short name.
func openVocabulary(name, arch string) (*gguf.File, error) {
	switch {
	case name == byteVocabulary && arch == "llama":
		return synth.ByteVocab("llama")
	case name == byteVocabulary:
		return synth.ByteVocab("gpt2")
	case strings.ContainsRune(name, os.PathSeparator), strings.HasSuffix(name, ".gguf"):
		return openVocabularyFile(name)
	}
	var tried []string
	for _, dir := range vocabularyDirs() {
		path := filepath.Join(dir, "ggml-vocab-"+name+".gguf")
		if _, err := os.Stat(path); err == nil {
			return openVocabularyFile(path)
		}
		tried = append(tried, path)
	}
	return nil, missingVocabulary(name, tried)
}

func openVocabularyFile(path string) (*gguf.File, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("vocabulary %w", err)
	}
	if err := gguf.CheckVocab(f).Err(path); err != nil {
		return nil, fmt.Errorf("vocabulary %w", err)
	}
	return f, nil
}

// vocabularyDirs are the folders that hold llama.cpp's vocabulary files: the
// one that make build links beside the program, and AXON_VOCAB_DIR.
func vocabularyDirs() []string {
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(exe); err == nil {
			exe = target
		}
		dirs = append(dirs, filepath.Join(filepath.Dir(exe), "vocab"))
	}
	if dir := os.Getenv("AXON_VOCAB_DIR"); dir != "" {
		dirs = append(dirs, dir)
	}
	return dirs
}

func missingVocabulary(name string, tried []string) error {
	var names []string
	for _, dir := range vocabularyDirs() {
		names = append(names, synth.VocabNames(dir)...)
	}
	if len(names) > 0 {
		return fmt.Errorf("there is no vocabulary %q; there are: %s; or name a GGUF file", name, strings.Join(names, ", "))
	}
	return fmt.Errorf("there is no vocabulary %q: looked for %s; run make build, set AXON_VOCAB_DIR to llama.cpp's models folder, or name a GGUF file",
		name, strings.Join(tried, " and "))
}
