// Package parity holds no code, only tests that run llama.cpp's own programs
// beside axon on the same models and texts and want the same answers. They
// need bin/peers (make peers) and skip without it.
package parity
