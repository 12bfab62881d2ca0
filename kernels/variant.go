package kernels

import (
	"fmt"
	"os"
	"strings"
)

//go:generate go run -C _generate . -out ../kernels_amd64.s -stubs ../stubs_amd64.go -pkg kernels
//go:generate go run -C _generate ./arm64 -out ../kernels_arm64.s

// variant is one implementation of the primitives.
type variant struct {
	name    string
	max     func(x []float32) float32
	sumExp  func(x []float32, shift float32) (sum float64, top float32)
	exp     func(dst, x []float32, shift float32)
	count   func(x []float32, least float32) int
	collect func(values []float32, indices []int32, n int, x []float32, first int32, least float32) int
	entries func(dst []Entry, values []float32, indices []int32, least float32) int
}

// padding is how far beyond what they count collect and entries may write.
const padding = 16

// generic is there on every machine.
var generic = variant{"generic", maxGeneric, sumExpGeneric, expGeneric, countGeneric, collectGeneric, entriesGeneric}

// variants are those that this machine can run, the fastest first.
var variants = append(assembly(), generic)

// VariantEnv names the variable of the environment that chooses a variant at
// start-up; a name that this machine does not have is ignored.
const VariantEnv = "AXON_KERNELS"

var active = choose(os.Getenv(VariantEnv))

func choose(name string) variant {
	for _, v := range variants {
		if v.name == name {
			return v
		}
	}
	return variants[0]
}

// Variants names the implementations that this machine can run, the fastest
// first.
func Variants() []string {
	names := make([]string, len(variants))
	for i, v := range variants {
		names[i] = v.name
	}
	return names
}

// Variant names the implementation in use.
func Variant() string { return active.name }

// UseVariant changes the implementation, for tests and benchmarks: nothing
// else of the package may run at the same time.
func UseVariant(name string) error {
	if v := choose(name); v.name == name {
		active = v
		return nil
	}
	return fmt.Errorf("no kernels %q on this machine; there are: %s", name, strings.Join(Variants(), ", "))
}
