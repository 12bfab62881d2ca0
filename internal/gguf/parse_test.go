package gguf_test

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"axon/internal/gguf"
)

// raw builds a file by hand: what a writer would refuse to write.
type raw struct{ bytes.Buffer }

func header(version uint32, tensors, keys uint64) *raw {
	r := &raw{}
	r.WriteString("GGUF")
	return r.u32(version).u64(tensors).u64(keys)
}

func (r *raw) u32(v uint32) *raw {
	r.Write(binary.LittleEndian.AppendUint32(nil, v))
	return r
}

func (r *raw) u64(v uint64) *raw {
	r.Write(binary.LittleEndian.AppendUint64(nil, v))
	return r
}

func (r *raw) str(s string) *raw {
	r.u64(uint64(len(s))).WriteString(s)
	return r
}

func (r *raw) fill(n int) *raw {
	r.Write(make([]byte, n))
	return r
}

func TestParseReadsWhatWasWritten(t *testing.T) {
	kvs := []gguf.KV{
		{Key: "u8", Value: uint8(200)}, {Key: "i8", Value: int8(-3)},
		{Key: "u16", Value: uint16(60000)}, {Key: "i16", Value: int16(-30000)},
		{Key: "u32", Value: uint32(4e9)}, {Key: "i32", Value: int32(-2e9)},
		{Key: "u64", Value: uint64(1 << 63)}, {Key: "i64", Value: int64(-1 << 62)},
		{Key: "f32", Value: float32(1.5)}, {Key: "f64", Value: -2.25},
		{Key: "yes", Value: true}, {Key: "no", Value: false},
		{Key: "text", Value: "héllo"}, {Key: "nothing", Value: ""},
		{Key: "bytes", Value: []uint8{1, 2}}, {Key: "i8s", Value: []int8{-1}},
		{Key: "u16s", Value: []uint16{1, 9}}, {Key: "i16s", Value: []int16{-1, 9}},
		{Key: "u32s", Value: []uint32{1, 9}}, {Key: "i32s", Value: []int32{-1, 9}},
		{Key: "u64s", Value: []uint64{1, 9}}, {Key: "i64s", Value: []int64{-1, 9}},
		{Key: "f32s", Value: make([]float32, 10000)}, {Key: "f64s", Value: []float64{0.5}},
		{Key: "flags", Value: []bool{true, false, true}},
		{Key: "texts", Value: []string{"a", "", "ccc"}}, {Key: "none", Value: []string{}},
	}
	m := &gguf.Model{KVs: kvs, Tensors: []gguf.Source{
		{Name: "a", Dims: []int64{64, 3}, Type: gguf.Q4_0, Write: bytesOf(108)},
		{Name: "b", Dims: []int64{5}, Type: gguf.F32, Write: bytesOf(20)},
	}}
	f, err := parse(encode(t, m))
	require.NoError(t, err)

	assert.Equal(t, kvs, f.KVs)
	assert.EqualValues(t, 3, f.Version)
	assert.EqualValues(t, gguf.DefaultAlignment, f.Alignment)
	assert.Zero(t, f.DataOffset%f.Alignment)
	assert.Equal(t, []gguf.Tensor{
		{Name: "a", Dims: []int64{64, 3}, Type: gguf.Q4_0, Offset: 0, Size: 108},
		{Name: "b", Dims: []int64{5}, Type: gguf.F32, Offset: 128, Size: 20},
	}, f.Tensors)
	assert.Equal(t, f.DataOffset+160, f.Size)
}

func TestParseRefuses(t *testing.T) {
	good := encode(t, small(t))
	for _, c := range []struct {
		name  string
		bytes []byte
		kind  error
		says  string
	}{
		{"empty", nil, gguf.ErrEmpty, "download"},
		{"one byte", []byte("G"), gguf.ErrNotGGUF, "begins with"},
		{"text", []byte("hello, this is no model"), gguf.ErrNotGGUF, `"hell"`},
		{"safetensors", append([]byte{8, 0, 0, 0, 0, 0, 0, 0}, []byte(`{"a":{}}`)...), gguf.ErrNotGGUF, "safetensors"},
		{"pytorch", []byte("PK\x03\x04 and so on"), gguf.ErrNotGGUF, "PyTorch"},
		{"git lfs", []byte("version https://git-lfs.github.com/spec/v1\n"), gguf.ErrNotGGUF, "git lfs pull"},
		{"web page", []byte("<!DOCTYPE html>"), gguf.ErrNotGGUF, "web page"},
		{"zeros", make([]byte, 100), gguf.ErrNotGGUF, "zero"},
		{"older format", []byte("tjgg\x03\x00\x00\x00"), gguf.ErrNotGGUF, "GGJT"},
		{"magic only", []byte("GGUF"), gguf.ErrTruncated, "header"},
		{"version 1", header(1, 0, 0).Bytes(), gguf.ErrVersion, "version 1"},
		{"version 9", header(9, 0, 0).Bytes(), gguf.ErrVersion, "version 9"},
		{"big-endian", header(3<<24, 0, 0).Bytes(), gguf.ErrBigEndian, "big-endian"},
		{"header cut", header(3, 0, 0).Bytes()[:20], gguf.ErrTruncated, "header"},
		{"tensors 2^60", header(3, 1<<60, 0).Bytes(), gguf.ErrAbsurd, "1152921504606846976 tensors"},
		{"keys 2^60", header(3, 0, 1<<60).Bytes(), gguf.ErrAbsurd, "keys"},
		{"tensors -1", header(3, 1<<64-1, 0).Bytes(), gguf.ErrAbsurd, "tensors"},
		{"more keys than bytes", header(3, 0, 1000).fill(100).Bytes(), gguf.ErrTruncated, "table of keys"},
		{"key of 2^50 bytes", header(3, 0, 1).u64(1 << 50).fill(20).Bytes(), gguf.ErrAbsurd, "key 0"},
		{"key longer than file", header(3, 0, 1).u64(1000).fill(20).Bytes(), gguf.ErrTruncated, "key 0"},
		{"unknown value type", header(3, 0, 1).str("a").u32(77).fill(20).Bytes(), gguf.ErrMalformed, "value type 77"},
		{"array of arrays", header(3, 0, 1).str("a").u32(9).u32(9).u64(1).fill(20).Bytes(), gguf.ErrMalformed, "array of arr"},
		{"2^60 strings", header(3, 0, 1).str("a").u32(9).u32(8).u64(1 << 60).fill(40).Bytes(), gguf.ErrAbsurd, "1152921504606846976"},
		{"2^29 strings", header(3, 0, 1).str("a").u32(9).u32(8).u64(1 << 29).fill(40).Bytes(), gguf.ErrTruncated, `"a"`},
		{"2^29 numbers", header(3, 0, 1).str("a").u32(9).u32(12).u64(1 << 29).fill(40).Bytes(), gguf.ErrTruncated, `"a"`},
		{"alignment 0", header(3, 0, 1).str("general.alignment").u32(4).u32(0).Bytes(), gguf.ErrMalformed, "power of two"},
		{"alignment 24", header(3, 0, 1).str("general.alignment").u32(4).u32(24).Bytes(), gguf.ErrMalformed, "power of two"},
		{"alignment as text", header(3, 0, 1).str("general.alignment").u32(8).str("32").Bytes(), gguf.ErrMalformed, "str"},
		{"5 dimensions", header(3, 1, 0).str("t").u32(5).fill(80).Bytes(), gguf.ErrAbsurd, "5 dimensions"},
		{"cut in the keys", good[:1000], gguf.ErrTruncated, "ends at byte 1000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.bytes)
			require.ErrorIs(t, err, c.kind)
			assert.Contains(t, err.Error(), c.says)
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

// A model cut anywhere must give an error, by the reader or by the check.
func TestEveryTruncationIsFound(t *testing.T) {
	whole := encode(t, small(t))
	for n := range len(whole) - 1 {
		if n > 300 && n%29 != 0 {
			continue
		}
		f, err := parse(whole[:n])
		if err == nil {
			err = gguf.Check(f).Err("")
		}
		require.Error(t, err, "cut at %d of %d", n, len(whole))
	}
}

func TestOpenNamesTheCauseAndTheNextStep(t *testing.T) {
	dir := t.TempDir()
	whole := encode(t, small(t))
	for _, c := range []struct {
		name, path string
		kind       error
		line       string
	}{
		{"missing", filepath.Join(dir, "no.gguf"), fs.ErrNotExist, "there is no such file; check the path"},
		{"directory", dir, gguf.ErrDirectory, "it is a directory; name a .gguf file in it"},
		{"empty", writeFile(t, "e.gguf", nil), gguf.ErrEmpty, "empty file: it has no bytes; download it again"},
		{"other", writeFile(t, "o.gguf", []byte("PK\x03\x04abc")), gguf.ErrNotGGUF, "convert it with"},
		{"device", os.DevNull, gguf.ErrDirectory, "device"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := gguf.Open(c.path)
			require.ErrorIs(t, err, c.kind)
			assert.True(t, strings.HasPrefix(err.Error(), c.path+": "), err.Error())
			assert.Contains(t, err.Error(), c.line)
		})
	}
	t.Run("truncated", func(t *testing.T) {
		path := writeFile(t, "t.gguf", whole[:len(whole)-2000])
		f, err := gguf.Open(path)
		require.NoError(t, err)
		err = gguf.Check(f).Err(path)
		require.ErrorIs(t, err, gguf.ErrTruncated)
		assert.Regexp(t, `t\.gguf: truncated: tensor \S+ ends at byte \d+ but the file has \d+ bytes; download it again$`, err.Error())
	})
}

// What a file claims must not be what is allocated.
func TestSmallFilesCannotAllocateMuch(t *testing.T) {
	claims := map[string][]byte{
		"tensors": header(3, 1<<16, 0).fill(70).Bytes(),
		"keys":    header(3, 0, 1<<16).fill(70).Bytes(),
		"strings": header(3, 0, 1).str("a").u32(9).u32(8).u64(1 << 60).fill(40).Bytes(),
		"fewer":   header(3, 0, 1).str("a").u32(9).u32(8).u64(1 << 30).fill(40).Bytes(),
		"numbers": header(3, 0, 1).str("a").u32(9).u32(10).u64(1 << 30).fill(40).Bytes(),
		"string":  header(3, 0, 1).str("a").u32(8).u64(1 << 30).fill(40).Bytes(),
	}
	for name, b := range claims {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := parse(b)
			runtime.ReadMemStats(&after)
			require.Error(t, err)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
		})
	}
}

// Memory follows the size of the file, also where it is all tiny items.
func TestMemoryIsProportional(t *testing.T) {
	const items = 200_000
	m := &gguf.Model{KVs: []gguf.KV{{Key: "a", Value: make([]string, items)}}}
	b := encode(t, m)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := parse(b)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(6*len(b)))
}

func BenchmarkParseVocabulary(b *testing.B) {
	list := make([]string, 128_000)
	for i := range list {
		list[i] = strings.Repeat("x", 1+i%12)
	}
	data := encode(b, &gguf.Model{KVs: []gguf.KV{{Key: "tokens", Value: list}}})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(data); err != nil {
			b.Fatal(err)
		}
	}
}
