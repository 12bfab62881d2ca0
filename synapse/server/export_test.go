package server

import (
	"testing"
	"time"
)

// SetIdleGrace changes how much longer than grpc the servers that a test starts wait.
func SetIdleGrace(t *testing.T, d time.Duration) {
	before := idleGrace
	idleGrace = d
	t.Cleanup(func() { idleGrace = before })
}
