// Package metagraph reads who takes part in a network from a file: each neuron's number,
// keys, address and stake. A server asks it whom to admit and in which order, a client
// and a validator whom to ask.
//
// The file is CSV whose first line names the columns:
//
//	uid,hotkey,coldkey,ip,port,stake
//	0,5DfhGyQdFobKM8NsWvEeAKk5EQQgYe9AydgJ7rMB6E1EqRzV,,203.0.113.7,8091,1024.5
//
// in any order and with further columns, which are passed over. Coldkey, ip and port may
// be empty. Keys are SS58 addresses, or 0x and hexadecimal digits.
//
// The package does not know where the file comes from: whoever follows a network writes
// it, best under another name that is then moved into place, as [Write] does. Nor does it
// know what a stake entitles to: that is for package auth.
//
// Start reading at [File]; parse.go says what is refused.
package metagraph
