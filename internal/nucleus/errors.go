package nucleus

import (
	"errors"
	"fmt"

	"axon/engine"
	"axon/synapse/server"
)

// kinds says which of the engine's refusals a caller may read, and as what.
var kinds = []struct{ engine, server error }{
	{engine.ErrTooLong, server.ErrTooLong},
	{engine.ErrBusy, server.ErrBusy},
	{engine.ErrNoKVSpace, server.ErrBusy},
	{engine.ErrUnsupported, server.ErrUnsupported},
	{engine.ErrRequest, server.ErrInvalid},
	{engine.ErrToken, server.ErrInvalid},
	{ErrEmpty, server.ErrInvalid},
}

// forCaller marks the errors that a server passes on.
func forCaller(err error) error {
	for _, k := range kinds {
		if errors.Is(err, k.engine) {
			return fmt.Errorf("%w: %w", k.server, err)
		}
	}
	return err
}
