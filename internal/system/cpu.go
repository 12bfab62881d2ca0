package system

// Feature is an extension of the instruction set.
type Feature struct {
	Name string // as ggml spells it: AVX2, F16C
	Has  bool   // whether this CPU, and the operating system, can run it
}

// Missing lists the features that the CPU does not have.
func Missing(features []Feature) []string {
	var names []string
	for _, f := range features {
		if !f.Has {
			names = append(names, f.Name)
		}
	}
	return names
}

// Compiled says of each feature that a library was compiled for whether the
// CPU has it; names that this package does not know are left out. Native code
// that meets a CPU without one dies of an illegal instruction, so ask before
// any runs.
func Compiled(names []string) []Feature {
	var list []Feature
	for _, name := range names {
		if has, ok := known[name]; ok {
			list = append(list, Feature{name, has()})
		}
	}
	return list
}
