// Package auth decides who is calling: sr25519 keys and their SS58 addresses, the
// signatures that requests carry and the memory of nonces that keeps a request from
// being used twice, and the files that hotkeys are kept in.
//
// Both sides of a call are here. A client signs with a [Signer]; a server checks with
// a [Checker], whose refusals carry the words that a server of the reference would send.
//
// The package knows no transport: headers come as a map, a refusal is a [Refusal], and
// it is for the server to make a status of it. Nor does a [Checker] know who may call:
// that is asked of [Options.Admit], for which a [Policy] has rules about registration,
// stake and intervals. Who is registered, in turn, is for a [Registry] to know.
//
// sr25519 is curve25519-voi's: one module under BSD with Merlin inside, where go-schnorrkel,
// released in the same month, brings four more and signs without the key's own nonce.
// Of go-bip39 only the list of words is used.
//
// Start reading at [Checker.Check]; book.go explains why no nonce is accepted twice.
package auth
