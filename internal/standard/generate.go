//go:build ignore

// Command generate cuts the vocabulary out of the member of the family that has
// GPT-2's, and writes it as a file of its own.
package main

import (
	"context"
	"log"
	"strings"

	"axon/internal/gguf"
)

func main() {
	from, err := gguf.Open("../../models/axon-gpt2vocab.gguf")
	if err != nil {
		log.Fatal(err)
	}
	kvs := []gguf.KV{{Key: "general.architecture", Value: "gpt2"}}
	for _, kv := range from.KVs {
		if strings.HasPrefix(kv.Key, "tokenizer.") {
			kvs = append(kvs, kv)
		}
	}
	if err := gguf.Write(context.Background(), "gpt2.gguf", &gguf.Model{KVs: kvs}, nil); err != nil {
		log.Fatal(err)
	}
}
