package synapse

import (
	"errors"
	"fmt"
	"math"

	"axon/synapse/wire"
)

// Version is the protocol's, of release 3.7.0.
const Version = 370

var (
	// ErrEncode is returned when a tensor cannot be serialised.
	ErrEncode = errors.New("tensor cannot be serialised")
	// ErrDecode is returned when a message holds no tensor of numbers.
	ErrDecode = errors.New("tensor cannot be deserialised")
	// ErrShape is returned when a message's bytes are cut off, left over, or in
	// the wrong order. The reference's server answers such with its shape codes.
	ErrShape = errors.New("tensor has the wrong extent")
	// ErrLimit is returned when a tensor, or their number, exceeds what the caller is ready to take.
	ErrLimit = errors.New("tensor exceeds a limit")
)

// Encode serialises a tensor. SERIALIZER_CMPPACK sends float16 whatever the
// type: token ids above 2048 do not survive it, nor do values of 65520 and more.
func Encode(t Tensor, s wire.Serializer) (*wire.Tensor, error) {
	kind, ok := dtypes[t.DType]
	if n, fits := Elements(t.Shape); !ok || !fits || n*kind.size != len(t.Data) {
		return nil, fmt.Errorf("%w: %d bytes of %v in the shape %v", ErrEncode, len(t.Data), t.DType, t.Shape)
	}
	packed := t
	switch s {
	case wire.Serializer_SERIALIZER_MSGPACK:
	case wire.Serializer_SERIALIZER_CMPPACK:
		var err error
		if packed, err = t.Cast(Float16); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrEncode, err)
		}
	default:
		return nil, fmt.Errorf("%w: there is no serializer %d", ErrEncode, s)
	}
	return message(t, appendArray(nil, packed), s), nil
}

// message is the one that holds a tensor's numbers, serialised.
func message(t Tensor, buffer []byte, s wire.Serializer) *wire.Tensor {
	shape := make([]int64, len(t.Shape))
	for i, d := range t.Shape {
		shape[i] = int64(d)
	}
	return &wire.Tensor{
		Version: Version, Buffer: buffer, Shape: shape,
		Serializer: s, Dtype: dtypes[t.DType].wire, RequiresGrad: t.RequiresGrad,
	}
}

// Decode deserialises a tensor of at most maxElements numbers. Shape and type
// are the message's: the buffer's numbers are converted, and of its shape
// only the number of elements counts. One dimension of −1 is worked out. What
// serializer a message names does not matter, as both are read alike. Nothing
// is allocated that the buffer's own length does not allow for.
func Decode(w *wire.Tensor, maxElements int) (Tensor, error) {
	to, ok := fromWire(w.GetDtype())
	if !ok {
		return Tensor{}, fmt.Errorf("%w: the data type %d has no numbers", ErrDecode, w.GetDtype())
	}
	a, err := parseArray(w.GetBuffer())
	if err != nil {
		return Tensor{}, err
	}
	from, err := a.tensor(maxElements)
	if err != nil {
		return Tensor{}, err
	}
	if w.GetRequiresGrad() && !to.floating() {
		return Tensor{}, fmt.Errorf("%w: integers have no gradients", ErrDecode)
	}
	if from.Shape, err = shapeOf(w.GetShape(), from.Len()); err != nil {
		return Tensor{}, err
	}
	out, err := from.Cast(to)
	if err != nil {
		return Tensor{}, fmt.Errorf("%w: %w", ErrDecode, err)
	}
	out.RequiresGrad = w.GetRequiresGrad()
	return out, nil
}

// tensor checks that an array is one of numbers of which there are as many as
// its shape says.
func (a array) tensor(maxElements int) (Tensor, error) {
	if len(a.dtype) > 0 && a.dtype[0] == '>' {
		return Tensor{}, fmt.Errorf("%w: big-endian numbers", ErrShape)
	}
	for d, kind := range dtypes {
		if kind.name != a.dtype {
			continue
		}
		n, fits := Elements(a.shape)
		if !fits || n > maxElements {
			return Tensor{}, fmt.Errorf("%w: the shape %v has more than %d elements", ErrLimit, a.shape, maxElements)
		}
		if n*kind.size != len(a.data) {
			return Tensor{}, fmt.Errorf("%w: %d bytes where the shape %v of %v takes %d", ErrShape, len(a.data), a.shape, d, n*kind.size)
		}
		return Tensor{DType: d, Shape: a.shape, Data: a.data}, nil
	}
	return Tensor{}, fmt.Errorf("%w: numbers of type %.20q", ErrDecode, a.dtype)
}

// shapeOf checks that a message's shape holds n elements and works out a −1.
func shapeOf(dims []int64, n int) ([]int, error) {
	wrong := fmt.Errorf("%w: the shape %v is not one of %d elements", ErrDecode, dims[:min(len(dims), maxRank)], n)
	if len(dims) > maxRank {
		return nil, wrong
	}
	shape, open := make([]int, len(dims)), -1
	for i, d := range dims {
		switch {
		case d == -1 && open < 0:
			open, d = i, 1
		case d < 0 || d > math.MaxInt32:
			return nil, wrong
		}
		shape[i] = int(d)
	}
	known, fits := Elements(shape)
	if open >= 0 && fits && known > 0 {
		shape[open] = n / known
		known *= shape[open]
	}
	if !fits || known != n {
		return nil, wrong
	}
	return shape, nil
}
