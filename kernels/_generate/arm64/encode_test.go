package main

import "testing"

// The words are those of binutils' assembler.
func TestEncode(t *testing.T) {
	for _, test := range []struct {
		instruction
		registers []vec
		word      uint32
		text      string
	}{
		{fadd, []vec{1, 2, 31}, 0x4e3fd441, "fadd v1.4s, v2.4s, v31.4s"},
		{faddD, []vec{30, 2, 3}, 0x4e63d45e, "fadd v30.2d, v2.2d, v3.2d"},
		{fsub, []vec{1, 29, 3}, 0x4ea3d7a1, "fsub v1.4s, v29.4s, v3.4s"},
		{fmul, []vec{4, 5, 6}, 0x6e26dca4, "fmul v4.4s, v5.4s, v6.4s"},
		{fmax, []vec{7, 8, 9}, 0x4e29f507, "fmax v7.4s, v8.4s, v9.4s"},
		{fcmge, []vec{10, 11, 12}, 0x6e2ce56a, "fcmge v10.4s, v11.4s, v12.4s"},
		{fcmgt, []vec{13, 14, 15}, 0x6eafe5cd, "fcmgt v13.4s, v14.4s, v15.4s"},
		{bic, []vec{16, 17, 18}, 0x4e721e30, "bic v16.16b, v17.16b, v18.16b"},
		{fmaxv, []vec{19, 20}, 0x6e30fa93, "fmaxv s19, v20.4s"},
		{faddp, []vec{21, 22}, 0x7e70dad5, "faddp d21, v22.2d"},
		{fcvtl, []vec{23, 24}, 0x0e617b17, "fcvtl v23.2d, v24.2s"},
		{fcvtl2, []vec{25, 26}, 0x4e617b59, "fcvtl2 v25.2d, v26.4s"},
	} {
		word, text := test.encode(test.registers[0], test.registers[1:]...)
		if word != test.word || text != test.text {
			t.Errorf("%s is %#08x, got %#08x (%s)", test.text, test.word, word, text)
		}
	}
}
