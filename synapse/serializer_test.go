package synapse

import (
	"bytes"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"axon/internal/conformance"
	"axon/synapse/wire"
)

type serializerCase struct {
	Name         string `json:"name"`
	Op           string `json:"op"`
	Serializer   string `json:"serializer"`
	TorchDType   string `json:"torch_dtype"`
	RequiresGrad bool   `json:"requires_grad"`
	Input        *conformance.Array
	Proto        *conformance.Blob
	Output       *struct {
		conformance.Array
		RequiresGrad bool `json:"requires_grad"`
	}
	SerializeError   *recordedError `json:"serialize_error"`
	DeserializeError *recordedError `json:"deserialize_error"`
}

type recordedError struct {
	ValueError bool `json:"value_error"`
}

var torchTypes = map[string]DType{
	"float32": Float32, "float64": Float64, "int32": Int32, "int64": Int64, "float16": Float16, "uint8": Uint8, "bool": Bool,
}

// notReproduced says why.
var notReproduced = map[string]string{
	"bfloat16": "there is no such type on the wire; the reference writes it only by way of float16",
}

func TestSerializersAreTheReferences(t *testing.T) {
	folder := conformance.Open(t, "a_serializer")
	for _, c := range conformance.Cases[serializerCase](folder) {
		t.Run(c.Name+" "+c.Serializer, func(t *testing.T) {
			if why, ok := notReproduced[c.TorchDType]; ok {
				t.Skip(why)
			}
			if c.Op == "round_trip" {
				requireWritten(t, folder, c)
			}
			if c.Proto != nil {
				requireRead(t, folder, c)
			}
		})
	}
}

func requireWritten(t *testing.T, folder conformance.Folder, c serializerCase) {
	t.Helper()
	in := Tensor{DType: torchTypes[c.TorchDType], Shape: c.Input.Shape, Data: folder.Array(*c.Input), RequiresGrad: c.RequiresGrad}
	w, err := Encode(in, wire.Serializer(wire.Serializer_value["SERIALIZER_"+c.Serializer]))
	if c.SerializeError != nil {
		require.ErrorIs(t, err, ErrEncode)
		return
	}
	require.NoError(t, err)
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(w)
	require.NoError(t, err)
	require.Equal(t, folder.Blob(*c.Proto), raw)
}

func requireRead(t *testing.T, folder conformance.Folder, c serializerCase) {
	t.Helper()
	var w wire.Tensor
	require.NoError(t, proto.Unmarshal(folder.Blob(*c.Proto), &w))
	got, err := Decode(&w, 1<<20)
	if c.DeserializeError != nil {
		want := ErrDecode
		if c.DeserializeError.ValueError {
			want = ErrShape
		}
		require.ErrorIs(t, err, want)
		return
	}
	require.NoError(t, err)
	require.Equal(t, torchTypes[c.Output.DType], got.DType)
	require.Equal(t, c.Output.Shape, append([]int{}, got.Shape...))
	require.Equal(t, c.Output.RequiresGrad, got.RequiresGrad)
	requireSameNumbers(t, Tensor{DType: got.DType, Data: folder.Array(c.Output.Array)}, got)
}

// requireSameNumbers compares bits, but takes any NaN for any other.
func requireSameNumbers(t *testing.T, want, got Tensor) {
	t.Helper()
	require.Len(t, got.Data, len(want.Data))
	if !want.DType.floating() {
		require.Equal(t, want.Data, got.Data)
		return
	}
	w, g := want.float(), got.float()
	for i := range want.Len() {
		if !(math.IsNaN(w(i)) && math.IsNaN(g(i))) {
			require.Equal(t, math.Float64bits(w(i)), math.Float64bits(g(i)), "element %d", i)
		}
	}
}

func TestATensorComesBack(t *testing.T) {
	for _, in := range []Tensor{
		NewFloat32([]float32{1, -2.5, float32(math.Inf(1)), 1e-40}, 2, 2),
		NewInt64([]int64{0, -1, math.MaxInt64}, 3),
		NewFloat32(nil, 0, 3),
		NewFloat32([]float32{7}),
		NewInt64(make([]int64, 20), 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 20),
	} {
		w, err := Encode(in, wire.Serializer_SERIALIZER_MSGPACK)
		require.NoError(t, err)
		out, err := Decode(w, 1<<20)
		require.NoError(t, err)
		require.Equal(t, append([]int{}, in.Shape...), append([]int{}, out.Shape...))
		require.True(t, bytes.Equal(in.Data, out.Data))
	}
}

func TestLimitsAreKept(t *testing.T) {
	w, err := Encode(NewFloat32(make([]float32, 100), 100), wire.Serializer_SERIALIZER_MSGPACK)
	require.NoError(t, err)
	_, err = Decode(w, 99)
	require.ErrorIs(t, err, ErrLimit)
	_, err = Decode(w, 100)
	require.NoError(t, err)
	for _, shape := range [][]int64{{math.MaxInt64, math.MaxInt64}, {-100}, {-1, -1}, {-1, 7}, {1 << 31, 1 << 31, 0}, make([]int64, 1000)} {
		w.Shape = shape
		_, err = Decode(w, 100)
		require.ErrorIs(t, err, ErrDecode, "%v", shape[:min(len(shape), 5)])
	}
	_, err = Encode(Tensor{DType: Float32, Shape: []int{2}, Data: make([]byte, 4)}, 0)
	require.ErrorIs(t, err, ErrEncode)
	_, err = Encode(Tensor{DType: Float32, Shape: []int{-1, -1}, Data: make([]byte, 4)}, 0)
	require.ErrorIs(t, err, ErrEncode)
	_, err = Encode(NewFloat32(nil, 0), 9)
	require.ErrorIs(t, err, ErrEncode)
}

func FuzzDecode(f *testing.F) {
	for _, t := range []Tensor{NewFloat32([]float32{1, 2, 3}, 3), NewInt64([]int64{5}, 1, 1), NewFloat32(nil, 0)} {
		for _, s := range []wire.Serializer{wire.Serializer_SERIALIZER_MSGPACK, wire.Serializer_SERIALIZER_CMPPACK} {
			w, err := Encode(t, s)
			if err != nil {
				f.Fatal(err)
			}
			raw, _ := proto.Marshal(w)
			f.Add(raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		const limit = 1000
		var w wire.Tensor
		if proto.Unmarshal(raw, &w) != nil {
			return
		}
		got, err := Decode(&w, limit)
		if err != nil {
			known := errors.Is(err, ErrDecode) || errors.Is(err, ErrShape) || errors.Is(err, ErrLimit)
			require.True(t, known, "%v", err)
			return
		}
		n, ok := Elements(got.Shape)
		require.True(t, ok && n == got.Len() && n <= limit)
		again, err := Encode(got, wire.Serializer_SERIALIZER_MSGPACK)
		require.NoError(t, err)
		back, err := Decode(again, limit)
		require.NoError(t, err)
		require.Equal(t, got.Data, back.Data)
	})
}
