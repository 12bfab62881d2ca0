package buildinfo

import "testing"

func TestStringIsNeverEmpty(t *testing.T) {
	defer func(old string) { Version = old }(Version)
	Version = ""
	if String() == "" {
		t.Error("no version at all; want a commit or \"unknown\"")
	}
	Version = "v1.2.3"
	if got := String(); got != "v1.2.3" {
		t.Errorf("String() = %q, want the linker's version", got)
	}
}
