package gguf

import (
	"fmt"
	"slices"
	"strings"
)

// FileType names the mixture of tensor types of a whole file (llama_ftype).
type FileType uint32

// fileTypes are the names as llama.cpp's tools spell them, in lower case, and
// the type that most matrices of such a file have.
var fileTypes = map[FileType]struct {
	name string
	base Type
}{
	0:  {"f32", F32},
	1:  {"f16", F16},
	2:  {"q4_0", Q4_0},
	3:  {"q4_1", Q4_1},
	7:  {"q8_0", Q8_0},
	8:  {"q5_0", Q5_0},
	9:  {"q5_1", Q5_1},
	10: {"q2_k", Q2_K},
	11: {"q3_k_s", Q3_K},
	12: {"q3_k_m", Q3_K},
	13: {"q3_k_l", Q3_K},
	14: {"q4_k_s", Q4_K},
	15: {"q4_k_m", Q4_K},
	16: {"q5_k_s", Q5_K},
	17: {"q5_k_m", Q5_K},
	18: {"q6_k", Q6_K},
	19: {"iq2_xxs", IQ2XXS},
	20: {"iq2_xs", IQ2XS},
	21: {"q2_k_s", Q2_K},
	22: {"iq3_xs", IQ3S},
	23: {"iq3_xxs", IQ3XXS},
	24: {"iq1_s", IQ1S},
	25: {"iq4_nl", IQ4NL},
	26: {"iq3_s", IQ3S},
	27: {"iq3_m", IQ3S},
	28: {"iq2_s", IQ2XS},
	29: {"iq2_m", IQ2S},
	30: {"iq4_xs", IQ4XS},
	31: {"iq1_m", IQ1M},
	32: {"bf16", BF16},
	36: {"tq1_0", TQ1_0},
	37: {"tq2_0", TQ2_0},
	38: {"mxfp4_moe", MXFP4},
	39: {"nvfp4", NVFP4},
	40: {"q1_0", Q1_0},
	41: {"q2_0", Q2_0},
}

// ParseFileType finds a file type by name, in any case.
func ParseFileType(name string) (FileType, error) {
	name = strings.ToLower(name)
	for t, ft := range fileTypes {
		if ft.name == name {
			return t, nil
		}
	}
	return 0, fmt.Errorf("unknown quantisation %q; known are %s", name, strings.Join(FileTypeNames(), " "))
}

// FileTypeNames returns the names of all file types in the order of their numbers.
func FileTypeNames() []string {
	var types []FileType
	for t := range fileTypes {
		types = append(types, t)
	}
	slices.Sort(types)
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.String()
	}
	return names
}

// String returns the name of the file type.
func (t FileType) String() string {
	if ft, ok := fileTypes[t]; ok {
		return ft.name
	}
	return fmt.Sprintf("file type %d", uint32(t))
}

// Base returns the type of most matrices in such a file; F32 for an unknown file type.
func (t FileType) Base() Type { return fileTypes[t].base }
