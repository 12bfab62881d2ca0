package gguf

import "strings"

// Check lists everything that keeps a file from being used as a model, and what
// will make it work badly. It never reads tensor data, so it takes milliseconds.
//
// It is strict where llama.cpp v0.5.0 would abort, divide by zero, read past an
// array or allocate without bound, and where the format itself is broken. Keys
// it does not know it leaves alone.
func Check(f *File) Problems {
	c := &checker{f: f}
	c.structure()
	c.split()
	if len(f.Tensors) == 0 && !c.splitFirst() {
		c.noTensors()
		return c.list
	}
	c.tensors()
	if c.architecture() {
		c.scalars()
		c.parameters()
		c.vocabulary()
		c.against()
	}
	return c.list
}

// CheckVocab lists everything that keeps a file from being used for its
// vocabulary alone; tensors and hyper-parameters need not be there.
func CheckVocab(f *File) Problems {
	c := &checker{f: f}
	c.structure()
	c.tensors()
	if c.architecture() {
		c.vocabulary()
	}
	return c.list
}

// structure checks the names of the keys.
func (c *checker) structure() {
	seen := make(map[string]bool, len(c.f.KVs))
	for i, kv := range c.f.KVs {
		switch {
		case kv.Key == "":
			c.fault(ErrMalformed, hintDownload, "key %d has no name", i)
		case strings.ContainsRune(kv.Key, 0):
			// C would read it as another, shorter key.
			c.fault(ErrMalformed, hintDownload, "key %s contains a zero byte", clip(kv.Key))
		case seen[kv.Key]:
			c.fault(ErrDuplicate, hintConvert, "key %s stands twice in the file", clip(kv.Key))
		}
		seen[kv.Key] = true
	}
}

func (c *checker) noTensors() {
	if c.f.Has("tokenizer.ggml.tokens") {
		c.fault(ErrVocabOnly, "name a whole model", "it holds a vocabulary and no tensors")
		return
	}
	c.fault(ErrTensor, hintDownload, "it holds no tensors")
}

// architecture checks that llama.cpp has it; false stops what depends on it.
func (c *checker) architecture() bool {
	if c.f.Text("general.type") == "adapter" {
		c.fault(ErrArchitecture, "name the base model and give this file to --lora", "it is a LoRA adapter, not a model")
		return false
	}
	v, ok := c.f.Get("general.architecture")
	name, isText := v.(string)
	_, known := architectures[name]
	switch {
	case !ok:
		c.fault(ErrKey, hintConvert, "general.architecture is missing")
	case !isText:
		c.fault(ErrKey, hintConvert, "general.architecture is %s instead of str", describeType(v))
	case name == "clip":
		c.fault(ErrArchitecture, "name the language model that it belongs to", "it is a multimodal projector (clip)")
	case !known:
		c.fault(ErrArchitecture, "use a model that llama.cpp v0.5.0 knows", "llama.cpp has no %s", clip(name))
	default:
		return true
	}
	return false
}
