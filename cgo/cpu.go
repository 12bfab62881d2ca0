package llama

/*
#include "ggml-cpu.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"

	"axon/internal/system"
)

// ErrCPU is returned by Init when the CPU lacks instructions that the linked library consists of.
var ErrCPU = errors.New("this CPU cannot run this build")

// CPUFeatures lists the instruction sets that the linked ggml was compiled
// for, by ggml's names. Each function asked returns a constant of that
// compilation: none needs what it tells of, so this may be called on any CPU.
func CPUFeatures() []string {
	var names []string
	for _, f := range []struct {
		name string
		has  C.int
	}{
		{"SSE3", C.ggml_cpu_has_sse3()}, {"SSSE3", C.ggml_cpu_has_ssse3()},
		{"AVX", C.ggml_cpu_has_avx()}, {"AVX_VNNI", C.ggml_cpu_has_avx_vnni()}, {"AVX2", C.ggml_cpu_has_avx2()},
		{"F16C", C.ggml_cpu_has_f16c()}, {"FMA", C.ggml_cpu_has_fma()}, {"BMI2", C.ggml_cpu_has_bmi2()},
		{"AVX512", C.ggml_cpu_has_avx512()}, {"AVX512_VBMI", C.ggml_cpu_has_avx512_vbmi()},
		{"AVX512_VNNI", C.ggml_cpu_has_avx512_vnni()}, {"AVX512_BF16", C.ggml_cpu_has_avx512_bf16()},
		{"AMX_INT8", C.ggml_cpu_has_amx_int8()},
		{"NEON", C.ggml_cpu_has_neon()}, {"ARM_FMA", C.ggml_cpu_has_arm_fma()}, {"FP16_VA", C.ggml_cpu_has_fp16_va()},
		{"DOTPROD", C.ggml_cpu_has_dotprod()}, {"MATMUL_INT8", C.ggml_cpu_has_matmul_int8()}, {"SVE", C.ggml_cpu_has_sve()},
	} {
		if f.has != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// MissingCPUFeatures lists those of CPUFeatures that this CPU does not have.
func MissingCPUFeatures() []string { return system.Missing(system.Compiled(CPUFeatures())) }

// checkCPU says why the process would die at the first step.
func checkCPU() error {
	if missing := MissingCPUFeatures(); len(missing) > 0 {
		return fmt.Errorf("%w: it lacks %s; build it on this machine with make build, or portable with make build NATIVE=0", ErrCPU, strings.Join(missing, ", "))
	}
	return nil
}
