package gguf

import "math"

// DefaultAlignment is the alignment of tensor data where the file names none.
const DefaultAlignment = 32

// Tensor is one row of the tensor table.
type Tensor struct {
	Name string
	// Dims are the sizes, the contiguous one first, as ggml counts them.
	Dims []int64
	Type Type
	// Offset is where the data begins, counted from File.DataOffset.
	Offset uint64
	// Size is the number of bytes; 0 when type or dimensions make no sense (Check says so).
	Size int64
}

// Elements returns the number of numbers in the tensor, 0 if it is not representable.
func (t Tensor) Elements() int64 {
	n, _ := elements(t.Dims)
	return n
}

// File is everything in a GGUF file but the tensor data.
type File struct {
	// Path is where the file was opened, "" when it was parsed from a reader.
	Path string
	// Size is the number of bytes of the file.
	Size int64
	// Version is the version of the format, 2 or 3.
	Version uint32
	// Alignment is that of the tensor data; a power of two.
	Alignment int64
	// KVs are the keys and values in the order of the file.
	KVs []KV
	// Tensors are in the order of the file.
	Tensors []Tensor
	// DataOffset is where tensor data begins.
	DataOffset int64

	keys map[string]int
}

// NewFile returns a file that holds only keys, as if it had been parsed.
func NewFile(kvs []KV) *File {
	f := &File{Version: 3, Alignment: DefaultAlignment, KVs: kvs}
	f.index()
	return f
}

// Get returns the value of a key.
func (f *File) Get(key string) (any, bool) {
	i, ok := f.keys[key]
	if !ok {
		return nil, false
	}
	return f.KVs[i].Value, true
}

// Has reports whether the key is in the file.
func (f *File) Has(key string) bool {
	_, ok := f.keys[key]
	return ok
}

// Text returns the value of a string key, "" if it is absent or no string.
func (f *File) Text(key string) string {
	v, _ := f.Get(key)
	s, _ := v.(string)
	return s
}

// Uint returns the value of an integer key of any width; false if it is absent, negative or no integer.
func (f *File) Uint(key string) (uint64, bool) {
	v, ok := f.Get(key)
	if !ok {
		return 0, false
	}
	return toUint(v)
}

// Strings returns the value of an array of strings, nil if it is absent or something else.
func (f *File) Strings(key string) []string {
	v, _ := f.Get(key)
	s, _ := v.([]string)
	return s
}

// Bool returns the value of a bool key; ok is false if it is absent or something else.
func (f *File) Bool(key string) (value, ok bool) {
	v, _ := f.Get(key)
	value, ok = v.(bool)
	return value, ok
}

// Tensor returns the tensor of that name, nil if there is none.
func (f *File) Tensor(name string) *Tensor {
	for i := range f.Tensors {
		if f.Tensors[i].Name == name {
			return &f.Tensors[i]
		}
	}
	return nil
}

// Architecture returns general.architecture, "" if it is absent.
func (f *File) Architecture() string { return f.Text("general.architecture") }

// ArchKey returns the full name of a key of the file's architecture: "llama." + name.
func (f *File) ArchKey(name string) string { return f.Architecture() + "." + name }

// index makes the keys findable; of duplicates the first counts, as in ggml.
func (f *File) index() {
	f.keys = make(map[string]int, len(f.KVs))
	for i, kv := range f.KVs {
		if _, twice := f.keys[kv.Key]; !twice {
			f.keys[kv.Key] = i
		}
	}
}

func toUint(v any) (uint64, bool) {
	switch n := v.(type) {
	case uint8:
		return uint64(n), true
	case uint16:
		return uint64(n), true
	case uint32:
		return uint64(n), true
	case uint64:
		return n, true
	case int8:
		return uint64(n), n >= 0
	case int16:
		return uint64(n), n >= 0
	case int32:
		return uint64(n), n >= 0
	case int64:
		return uint64(n), n >= 0
	}
	return 0, false
}

func toFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case float32:
		return float64(n), true
	case float64:
		return n, true
	}
	return math.NaN(), false
}

// pad rounds n up to a multiple of align, which is a power of two.
func pad(n, align int64) int64 { return (n + align - 1) &^ (align - 1) }
