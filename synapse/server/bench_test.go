package server_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"axon/synapse"
)

// BenchmarkRequest measures what a request costs besides the model: a signed call over
// loopback, by the caller's number of connections.
func BenchmarkRequest(b *testing.B) {
	questions := map[string]synapse.Synapse{
		"score":    score(),
		"causallm": &synapse.TextCausalLM{TopK: 512},
	}
	for name, q := range questions {
		for _, callers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/%d", name, callers), func(b *testing.B) {
				a := start(b)
				requests := make(chan struct{})
				done := make(chan error, callers)
				for range callers {
					p := a.peer(b)
					m := p.request(texts(1, 64), q)
					go func() {
						for range requests {
							if _, err := p.send(m); err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}()
				}
				for b.Loop() {
					requests <- struct{}{}
				}
				close(requests)
				for range callers {
					require.NoError(b, <-done)
				}
			})
		}
	}
}
