package system

import "golang.org/x/sys/cpu"

// known maps ggml's names of instruction sets to what the CPU says.
var known = map[string]func() bool{
	"SSE3":        func() bool { return cpu.X86.HasSSE3 },
	"SSSE3":       func() bool { return cpu.X86.HasSSSE3 },
	"AVX":         func() bool { return cpu.X86.HasAVX },
	"AVX_VNNI":    func() bool { return cpu.X86.HasAVXVNNI },
	"AVX2":        func() bool { return cpu.X86.HasAVX2 },
	"F16C":        func() bool { return cpu.X86.HasF16C },
	"FMA":         func() bool { return cpu.X86.HasFMA },
	"BMI2":        func() bool { return cpu.X86.HasBMI2 },
	"AVX512":      func() bool { return cpu.X86.HasAVX512F },
	"AVX512_VBMI": func() bool { return cpu.X86.HasAVX512VBMI },
	"AVX512_VNNI": func() bool { return cpu.X86.HasAVX512VNNI },
	"AVX512_BF16": func() bool { return cpu.X86.HasAVX512BF16 },
	"AMX_INT8":    func() bool { return cpu.X86.HasAMXInt8 },
}
