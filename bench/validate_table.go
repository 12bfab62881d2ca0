package bench

import (
	"fmt"
	"strconv"
)

// ValidateTable is the table of axon bench validate.
func ValidateTable() Table[ValidateRow] {
	return Table[ValidateRow]{columns: validateColumns, fields: validateFields}
}

var validateColumns = []column[ValidateRow]{
	{"task", 16, false, func(r ValidateRow) string { return r.Task }},
	{"asked", 22, false, func(r ValidateRow) string { return r.asked() }},
	{"rule", 19, false, func(r ValidateRow) string { return r.rule() }},
	{"servers", 7, true, func(r ValidateRow) string { return strconv.Itoa(r.Servers) }},
	{"step s (max)", 13, true, func(r ValidateRow) string { return fmt.Sprintf("%.2f (%.2f)", r.Step, r.MaxStep) }},
	{"waiting", 7, true, func(r ValidateRow) string { return number(r.Waiting, 2) }},
	{"measuring", 9, true, func(r ValidateRow) string { return number(r.Measuring, 2) }},
	{"comparing", 9, true, func(r ValidateRow) string { return number(r.Comparing, 2) }},
	{"committing", 10, true, func(r ValidateRow) string { return number(r.Committing, 2) }},
	{"CPU s (asking)", 14, true, func(r ValidateRow) string { return fmt.Sprintf("%.2f (%.2f)", r.CPU, r.AskingCPU) }},
	{"CPU ms/server", 13, true, func(r ValidateRow) string { return number(r.ServerCPU, 2) }},
	{"received MB", 11, true, func(r ValidateRow) string { return number(r.Bytes/1e6, 1) }},
	{"heap MB, after", 14, true, func(r ValidateRow) string { return fmt.Sprintf("%.0f, %.0f", mega(r.PeakHeap), mega(r.SteadyHeap)) }},
	{"RSS MB", 6, true, func(r ValidateRow) string { return number(mega(r.PeakResident), 0) }},
}

func mega(bytes uint64) float64 { return float64(bytes) / 1e6 }

func (r ValidateRow) asked() string {
	s := fmt.Sprintf("%d × %d, top %d", r.Texts, r.Length, r.TopK)
	if r.Packed {
		s += ", packed"
	}
	return s
}

func (r ValidateRow) rule() string {
	if r.Synergy {
		return r.Rule + " + synergy"
	}
	return r.Rule
}

var validateFields = []field[ValidateRow]{
	{"build", func(r ValidateRow) string { return r.Build }},
	{"test_time", func(r ValidateRow) string { return r.Time }},
	{"task", func(r ValidateRow) string { return r.Task }},
	{"rule", func(r ValidateRow) string { return r.Rule }},
	{"packed", func(r ValidateRow) string { return strconv.FormatBool(r.Packed) }},
	{"top_k", func(r ValidateRow) string { return strconv.Itoa(r.TopK) }},
	{"texts", func(r ValidateRow) string { return strconv.Itoa(r.Texts) }},
	{"length", func(r ValidateRow) string { return strconv.Itoa(r.Length) }},
	{"servers", func(r ValidateRow) string { return strconv.Itoa(r.Servers) }},
	{"synergy", func(r ValidateRow) string { return strconv.FormatBool(r.Synergy) }},
	{"pairs", func(r ValidateRow) string { return strconv.Itoa(r.Pairs) }},
	{"slowness", csvOfValidate(func(r ValidateRow) float64 { return r.Slowness })},
	{"silent", csvOfValidate(func(r ValidateRow) float64 { return r.Silent })},
	{"timeout_s", csvOfValidate(func(r ValidateRow) float64 { return r.Timeout })},
	{"rounds", func(r ValidateRow) string { return strconv.Itoa(r.Rounds) }},
	{"step_s", csvOfValidate(func(r ValidateRow) float64 { return r.Step })},
	{"max_step_s", csvOfValidate(func(r ValidateRow) float64 { return r.MaxStep })},
	{"waiting_s", csvOfValidate(func(r ValidateRow) float64 { return r.Waiting })},
	{"measuring_s", csvOfValidate(func(r ValidateRow) float64 { return r.Measuring })},
	{"comparing_s", csvOfValidate(func(r ValidateRow) float64 { return r.Comparing })},
	{"committing_s", csvOfValidate(func(r ValidateRow) float64 { return r.Committing })},
	{"cpu_s", csvOfValidate(func(r ValidateRow) float64 { return r.CPU })},
	{"asking_cpu_s", csvOfValidate(func(r ValidateRow) float64 { return r.AskingCPU })},
	{"cpu_ms_per_server", csvOfValidate(func(r ValidateRow) float64 { return r.ServerCPU })},
	{"making_s", csvOfValidate(func(r ValidateRow) float64 { return r.Making })},
	{"bytes", func(r ValidateRow) string { return number(r.Bytes, 0) }},
	{"answered", func(r ValidateRow) string { return number(r.Answered, 0) }},
	{"timeouts", func(r ValidateRow) string { return number(r.Timeouts, 0) }},
	{"peak_heap_bytes", func(r ValidateRow) string { return strconv.FormatUint(r.PeakHeap, 10) }},
	{"steady_heap_bytes", func(r ValidateRow) string { return strconv.FormatUint(r.SteadyHeap, 10) }},
	{"peak_resident_bytes", func(r ValidateRow) string { return strconv.FormatUint(r.PeakResident, 10) }},
}

func csvOfValidate(f func(ValidateRow) float64) func(ValidateRow) string {
	return func(r ValidateRow) string { return number(f(r), 6) }
}
