package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// sniffLen is how much of a file that is no GGUF is looked at to say what it is.
const sniffLen = 64

// foreign are the beginnings of files that people mistake for models.
var foreign = []struct{ prefix, what, hint string }{
	{"PK\x03\x04", "it looks like a PyTorch checkpoint or a zip archive", hintToGGUF},
	{"\x80\x02", "it looks like a Python pickle (an old PyTorch checkpoint)", hintToGGUF},
	{"tjgg", "it is a model of the older GGJT format", hintConvert},
	{"fmgg", "it is a model of the older GGMF format", hintConvert},
	{"lmgg", "it is a model of the older GGML format", hintConvert},
	{"algg", "it is a LoRA adapter of the older GGLA format", "convert it again with a current convert_lora_to_gguf.py"},
	{"\x89HDF", "it looks like an HDF5 (Keras) file", hintToGGUF},
	{"version https://git-lfs", "it is a Git LFS pointer, not the file itself", "run git lfs pull"},
	{"<", "it looks like a web page; the download went wrong", hintDownload},
	{"\x1f\x8b", "it is compressed with gzip", "unpack it first"},
	{"(\xb5/\xfd", "it is compressed with zstd", "unpack it first"},
}

const hintToGGUF = "convert it with convert_hf_to_gguf.py"

// sniff says what a file is that does not begin with GGUF, and what to do.
func sniff(head []byte, size int64) (what, hint string) {
	for _, f := range foreign {
		if strings.HasPrefix(string(head), f.prefix) {
			return f.what, f.hint
		}
	}
	if isSafetensors(head, size) {
		return "it looks like a safetensors file", hintToGGUF
	}
	if len(bytes.Trim(head, "\x00")) == 0 {
		return "its first bytes are all zero; the download was not finished", hintDownload
	}
	return fmt.Sprintf("it begins with %q instead of %q", head[:min(4, len(head))], magic), "name a .gguf file"
}

// isSafetensors looks for the length of a JSON header and its first brace.
func isSafetensors(head []byte, size int64) bool {
	if len(head) < 9 || head[8] != '{' {
		return false
	}
	return binary.LittleEndian.Uint64(head) <= uint64(size)
}

// clip makes a name that came from the file fit for a message: one line, short,
// nothing that a terminal would act on.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		s = s[:most] + "…"
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

func clipValue(v any) string {
	if Len(v) >= 0 {
		return "an array"
	}
	return clip(fmt.Sprint(v))
}
