package doctor

import (
	"slices"

	llama "axon/cgo"
)

// Device is a device as reports show it.
type Device struct {
	Name        string `json:"name"`
	Type        string `json:"type"` // CPU, GPU, iGPU or accelerator
	Backend     string `json:"backend"`
	Description string `json:"description"`
	Free        uint64 `json:"free_bytes"` // zero when unknown
	Total       uint64 `json:"total_bytes"`
}

// Devices lists the devices that the linked backends found.
func Devices() []Device {
	list := []Device{}
	for _, d := range llama.Devices() {
		list = append(list, Device{d.Name, d.Type.String(), d.Backend, d.Description, d.Free, d.Total})
	}
	return list
}

// graphics reports whether the device takes layers of a model off the CPU.
func (d Device) graphics() bool {
	return d.Type == llama.GPU.String() || d.Type == llama.IntegratedGPU.String()
}

func (r *Report) hasGPU() bool { return slices.ContainsFunc(r.Found.Devices, Device.graphics) }
