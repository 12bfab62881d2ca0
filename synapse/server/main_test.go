package server_test

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // the codec that is wrapped
	"google.golang.org/grpc/mem"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(childEnv); folder != "" {
		serveUntilKilled(folder)
	}
	encoding.RegisterCodecV2(&countingCodec{CodecV2: encoding.GetCodecV2("proto")})
	code := m.Run()
	if left := leaked(); left != "" && code == 0 {
		panic("goroutines outlive the tests:\n" + left)
	}
	os.Exit(code)
}

// decoded is the number of bytes of messages that were decoded, by servers and clients.
var decoded atomic.Int64

// countingCodec is protobuf's, and counts.
type countingCodec struct{ encoding.CodecV2 }

func (c *countingCodec) Unmarshal(data mem.BufferSlice, v any) error {
	decoded.Add(int64(data.Len()))
	return c.CodecV2.Unmarshal(data, v)
}

// leaked gives the stacks of goroutines of a server or client that are left, after they
// had time to end.
func leaked() string {
	var left []string
	for range 200 {
		left = left[:0]
		stacks := make([]byte, 4<<20)
		for _, g := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			if strings.Contains(g, "axon/synapse/server.") || strings.Contains(g, "google.golang.org/grpc") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	return strings.Join(left, "\n\n")
}
