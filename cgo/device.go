package llama

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"strings"
)

// DeviceType is the kind of a device.
type DeviceType int

// The kinds of devices that ggml knows.
const (
	CPU DeviceType = iota
	GPU
	IntegratedGPU
	Accelerator
)

func (t DeviceType) String() string {
	return [...]string{"CPU", "GPU", "iGPU", "accelerator"}[t]
}

// Device is something that ggml can compute on.
type Device struct {
	Name        string // what --device takes
	Description string
	Backend     string
	Type        DeviceType
	Free, Total uint64 // bytes of its memory; zero when unknown
}

// Devices lists the devices that the linked backends found, in ggml's order.
func Devices() []Device {
	_ = Init()
	out := make([]Device, int(C.ax_device_count()))
	for i := range out {
		var d C.ax_device
		C.ax_device_get(C.int(i), &d)
		out[i] = Device{
			Name:        C.GoString(d.name),
			Description: C.GoString(d.description),
			Backend:     C.GoString(d.backend),
			Type:        DeviceType(d._type),
			Free:        uint64(d.free_bytes),
			Total:       uint64(d.total_bytes),
		}
	}
	return out
}

// deviceIndices finds the named devices. The CPU is always used, and listing
// it would make llama.cpp use it twice.
func deviceIndices(names []string) ([]C.int, error) {
	all := Devices()
	out := make([]C.int, 0, len(names))
	for _, name := range names {
		i := indexOfDevice(all, name)
		if i < 0 {
			return nil, fmt.Errorf("%w %q; there are: %s", ErrUnknownDevice, name, deviceNames(all))
		}
		if all[i].Type != CPU {
			out = append(out, C.int(i))
		}
	}
	return out, nil
}

func indexOfDevice(all []Device, name string) int {
	for i, d := range all {
		if strings.EqualFold(d.Name, name) {
			return i
		}
	}
	return -1
}

func deviceNames(all []Device) string {
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.Name
	}
	return strings.Join(names, ", ")
}
