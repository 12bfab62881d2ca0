package pack_test

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"axon/kernels"
	"axon/kernels/pack"

	"github.com/stretchr/testify/require"
)

// seal gives bytes the checksum that they should have, so that what is wrong with
// them is found behind it.
func seal(body ...byte) []byte {
	return binary.LittleEndian.AppendUint32(body, crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
}

// unsealed is a batch without its checksum.
func unsealed(data []byte) []byte { return data[: len(data)-4 : len(data)-4] }

// small is a batch of a few short rows over 300 tokens.
func small(t testing.TB, mode pack.Mode) []byte {
	return encode(t, pack.Params{Vocab: 300, Mode: mode}, smallRows()...)
}

func smallRows() []pack.Row {
	return []pack.Row{
		{Entries: []kernels.Entry{{Index: 3, Value: -0.5}, {Index: 4, Value: -1.5}, {Index: 290, Value: -4}}, Rest: -1.8983},
		{},
		{Entries: []kernels.Entry{{Index: 0, Value: ninf}, {Index: 299, Value: -0.25}}, Rest: -1.5087},
		{Entries: []kernels.Entry{{Index: 17}}, Rest: ninf},
	}
}

// readAll decodes all rows of hostile bytes.
func readAll(data []byte) ([]pack.Row, error) {
	b, err := pack.Parse(data, pack.Limits{})
	if err != nil {
		return nil, err
	}
	rows := make([]pack.Row, b.Len())
	for i := range rows {
		if err := b.Row(i, &rows[i]); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func TestEveryDamageIsSeen(t *testing.T) {
	for _, mode := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		good := small(t, mode)
		for i := range good {
			bad := append([]byte(nil), good...)
			bad[i] ^= 1 << (i % 8)
			_, err := readAll(bad)
			require.ErrorIs(t, err, pack.ErrCorrupt, "byte %d", i)
			_, err = readAll(good[:i])
			require.ErrorIs(t, err, pack.ErrCorrupt, "cut to %d", i)
		}
		_, err := readAll(append(good, 0))
		require.ErrorIs(t, err, pack.ErrCorrupt, "one byte more")
	}
}

// With a right checksum, bytes may mean something; they must not mean nonsense.
func TestSealedDamageNeverPanics(t *testing.T) {
	for _, mode := range []pack.Mode{pack.Quantised, pack.Float16, pack.Float32} {
		good := unsealed(small(t, mode))
		for i := range good {
			for v := range 256 {
				bad := append([]byte(nil), good...)
				bad[i] = byte(v)
				requireSane(t, seal(bad...))
			}
			requireSane(t, seal(good[:i:i]...))
		}
		_, err := readAll(seal(append(good, 0)...))
		require.ErrorIs(t, err, pack.ErrCorrupt)
	}
}

// requireSane reads bytes that may be anything: either an error of ours, or rows as an
// encoder would take them.
func requireSane(t *testing.T, data []byte) {
	t.Helper()
	b, err := pack.Parse(data, pack.Limits{})
	if err != nil {
		requireOurs(t, err)
		return
	}
	vocab := b.Params().Vocab
	var row pack.Row
	for i := range b.Len() {
		if err := b.Row(i, &row); err != nil {
			require.ErrorIs(t, err, pack.ErrCorrupt)
			continue
		}
		require.Len(t, row.Entries, b.RowLen(i))
		require.True(t, row.Rest <= pack.Slack)
		last := int32(-1)
		for _, e := range row.Entries {
			if e.Index <= last || int(e.Index) >= vocab || !(e.Value <= pack.Slack) {
				t.Fatalf("row %d has %+v after index %d", i, e, last)
			}
			last = e.Index
		}
	}
}

func requireOurs(t *testing.T, err error) {
	t.Helper()
	for _, want := range []error{pack.ErrCorrupt, pack.ErrVersion, pack.ErrLimit} {
		if errors.Is(err, want) {
			return
		}
	}
	t.Fatalf("%v is no error of the package", err)
}

func TestLies(t *testing.T) {
	header := func(rest ...byte) []byte { return seal(append([]byte("AXPK\x01"), rest...)...) }
	for want, data := range map[string][]byte{
		"no batch begins like this":                 seal('A', 'X', 'P', 'Q', 1, 0, 1),
		"mode 3 is unknown":                         header(3, 4, 0),
		"vocabulary of 0 is outside":                header(2, 0, 0),
		"vocabulary of 16777217 is outside":         header(2, 0x81, 0x80, 0x80, 8, 0),
		"spacing of 0 µnat":                         header(0, 4, 0, 32, 0),
		"spacing of 100 µnat, 257/64 nat":           header(0, 4, 100, 0x81, 2, 0),
		"header is cut off or not minimal":          header(0, 0x84, 0, 100, 32, 0),
		"5 rows cannot fit into 16 bytes":           header(append([]byte{0, 4, 100, 32, 5}, make([]byte, 16)...)...),
		"lengths are cut off":                       header(0, 4, 100, 32, 1, 0x80, 0x80, 0x80, 0x80),
		"row 0: 3 bytes cannot hold 1 of 4 tokens":  header(0, 4, 100, 32, 1, 2, 3, 0, 0x80, 0),
		"row 0: 4 bytes cannot hold 5 of 4 tokens":  header(0, 4, 100, 32, 1, 10, 4, 0, 0x80, 0, 0),
		"row 0: 3 bytes cannot hold -1 of 4 tokens": header(0, 4, 100, 32, 1, 1, 3, 0, 0, 0),
		"row 0: 8 bytes cannot hold 1 of 4 tokens":  header(2, 4, 1, 2, 8, 0, 0, 0, 0, 0, 0, 0, 0),
		"3 bytes of rows where lengths say 2":       header(0, 4, 100, 32, 1, 0, 2, 0xff, 0xff, 0),
		"a row of no entries has 3 bytes":           header(0, 4, 100, 32, 1, 0, 3, 0xff, 0xff, 0),
		"lowest level 0 outside the grid":           header(0, 4, 100, 32, 1, 2, 4, 0xff, 0xff, 0, 0),
		"lowest level 8191 outside the grid":        header(0, 4, 100, 32, 1, 2, 5, 0xff, 0xff, 0xfe, 0x7f, 0),
		"level outside the grid":                    header(0, 4, 100, 32, 1, 2, 12, 0xff, 0xff, 2, 1, 0, 1, 0xf8, 0xff, 0x7f, 0, 0, 0),
		"a number is larger than any":               header(0, 4, 100, 32, 1, 2, 10, 0xff, 0xff, 2, 1, 0, 1, 0xff, 0xff, 0xff, 0xff),
		"a prefix is longer than any":               header(0, 4, 100, 32, 1, 2, 5, 0xff, 0xff, 2, 0, 0),
		"3 prefixes where 2 are due":                header(0, 4, 100, 32, 1, 2, 5, 0xff, 0xff, 2, 0x83, 1),
		"1 prefixes where 2 are due":                header(0, 4, 100, 32, 1, 2, 4, 0xff, 0xff, 2, 1),
		"index beyond the vocabulary of 4":          header(0, 4, 100, 32, 1, 2, 5, 0xff, 0xff, 2, 0x60, 0),
		"padding is not zero":                       header(0, 4, 100, 32, 1, 2, 5, 0xff, 0xff, 2, 3, 0xf0),
		"entries take 2 of 3 bytes":                 header(0, 4, 100, 32, 1, 2, 6, 0xff, 0xff, 2, 3, 0, 0),
		"index beyond the vocabulary of 1":          header(2, 1, 1, 2, 9, 0, 0, 0, 0x80, 0, 0, 0, 0x80, 2),
		"a value is no log-probability":             header(2, 1, 1, 2, 9, 0, 0, 0, 0x80, 0, 0, 0xc0, 0x7f, 0),
	} {
		_, err := readAll(data)
		require.ErrorIs(t, err, pack.ErrCorrupt, want)
		require.ErrorContains(t, err, want)
	}
	_, err := readAll(seal([]byte("AXPK\x02 whatever comes")...))
	require.ErrorIs(t, err, pack.ErrVersion)
}

func TestLimits(t *testing.T) {
	data := small(t, pack.Quantised)
	for want, l := range map[string]pack.Limits{
		"vocabulary of 300 exceeds 299":    {Vocab: 299},
		"4 rows exceed 3":                  {Rows: 3},
		"row 0 has 3 entries, more than 2": {Entries: 2},
	} {
		b, err := pack.Parse(data, l)
		require.Nil(t, b)
		require.ErrorIs(t, err, pack.ErrLimit)
		require.ErrorContains(t, err, want)
	}
	_, err := pack.Parse(data, pack.Limits{Vocab: 300, Rows: 4, Entries: 3})
	require.NoError(t, err)
}

// A few bytes cannot claim much memory: 2 bits are the least that an entry takes.
func TestMemoryIsBoundedByLength(t *testing.T) {
	rows := make([]byte, 1000)
	data := seal(append([]byte("AXPK\x01\x00\x80\x80\x80\x08\x64\x20\x01\xb2\x3e\xe8\x07"), rows...)...)
	_, err := pack.Parse(data, pack.Limits{})
	require.ErrorContains(t, err, "1000 bytes cannot hold 3993 of 16777216 tokens")
}
