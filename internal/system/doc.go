// Package system tells facts about the machine: what its CPU can do, how much
// of it this process may use, what devices a build for the CPU leaves unused.
//
// It only looks; what follows from what it sees is for internal/doctor to say.
// It knows nothing of models or of llama.cpp, so that it can be asked before
// any native code has run. Where the operating system does not tell, values
// are zero. Start reading at machine.go.
package system
