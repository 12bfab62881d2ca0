package system

import "golang.org/x/sys/cpu"

// known maps ggml's names of instruction sets to what the CPU says.
var known = map[string]func() bool{
	"NEON":        func() bool { return cpu.ARM64.HasASIMD },
	"ARM_FMA":     func() bool { return cpu.ARM64.HasASIMD },
	"FP16_VA":     func() bool { return cpu.ARM64.HasASIMDHP },
	"MATMUL_INT8": func() bool { return cpu.ARM64.HasI8MM },
	"DOTPROD":     func() bool { return cpu.ARM64.HasASIMDDP },
	"SVE":         func() bool { return cpu.ARM64.HasSVE },
}
