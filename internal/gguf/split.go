package gguf

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// splitCount returns how many files the model is spread over; 1 for most.
func (f *File) splitCount() int {
	v, _ := f.Get("split.count")
	if n, ok := v.(uint16); ok && n > 1 {
		return int(n)
	}
	return 1
}

// partName returns the name of part i (from 0) of n with the given prefix.
func partName(prefix string, i, n int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", prefix, i+1, n)
}

// splitFirst reports whether the file is the first of several.
func (c *checker) splitFirst() bool {
	v, _ := c.f.Get("split.no")
	return c.f.splitCount() > 1 && v == uint16(0)
}

// split checks the parts of a model that is spread over several files. llama.cpp
// opens all of them when it is given the first, and reads their numbers unchecked.
func (c *checker) split() {
	for _, key := range []string{"split.count", "split.no"} {
		v, ok := c.f.Get(key)
		if _, isU16 := v.(uint16); ok && !isU16 {
			c.fault(ErrKey, hintConvert, "%s is %s instead of u16", key, describeType(v))
			return
		}
	}
	n := c.f.splitCount()
	if n == 1 {
		return
	}
	prefix, ok := c.splitPrefix(n)
	if !ok {
		return
	}
	for i := 1; i < n; i++ {
		if !c.part(partName(prefix, i, n), i, n) {
			return
		}
	}
}

// splitPrefix is what the names of all parts begin with.
func (c *checker) splitPrefix(n int) (string, bool) {
	no, _ := c.f.Uint("split.no")
	if !c.f.Has("split.no") {
		c.fault(ErrSplit, hintDownload, "it is one of %d parts, but split.no is missing", n)
		return "", false
	}
	if no != 0 {
		c.fault(ErrSplit, "name the first part", "it is part %d of %d", no+1, n)
		return "", false
	}
	if c.f.Path == "" {
		c.warn(ErrSplit, "", "its %d other parts were not looked at", n-1)
		return "", false
	}
	prefix, ok := strings.CutSuffix(c.f.Path, partName("", 0, n))
	if !ok || prefix == "" {
		c.fault(ErrSplit, "give the parts back their names", "the first of %d parts must be called %s", n, partName("<name>", 0, n))
		return "", false
	}
	return prefix, true
}

// part checks one of the other files; false when the rest need not be looked at.
func (c *checker) part(path string, i, n int) bool {
	f, err := Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		c.fault(ErrSplit, "download all parts into one folder", "part %d of %d, %s, is missing", i+1, n, filepath.Base(path))
		return false
	}
	if err != nil {
		c.fault(ErrSplit, hintDownload, "part %d of %d: %v", i+1, n, err)
		return false
	}
	if no, _ := f.Get("split.no"); no != uint16(i) {
		c.fault(ErrSplit, hintDownload, "%s does not say that it is part %d", filepath.Base(path), i+1)
	}
	inner := &checker{f: f}
	inner.structure()
	inner.tensors()
	for _, p := range inner.list {
		p.Text = filepath.Base(path) + ": " + p.Text
		c.list = append(c.list, p)
	}
	c.others = append(c.others, f)
	return true
}

// Parts opens the other files of a model that is split; none for most models.
func Parts(f *File) ([]*File, error) {
	c := &checker{f: f}
	c.split()
	return c.others, c.list.Err(f.Path)
}
