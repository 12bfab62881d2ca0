// Package doctor looks at the program and the machine together and says what
// was built, what was found, what will be used, and what is wrong.
//
// Run gathers everything into a Report (report.go); the problems come from
// small checks (checks.go), each of which looks at one thing and names the
// next step. A self-test on the built-in model (selftest.go) shows that it
// computes, and whether the machine is too busy for as many threads as it has
// cores. Printing is for the caller.
package doctor
