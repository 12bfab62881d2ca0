package gguf

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// The largest numbers that are believed. Those of llama.cpp are its own limits;
// the others are far above any model and far below what would overflow.
const (
	maxLayers    = 512  // LLAMA_MAX_LAYERS
	maxExperts   = 1024 // LLAMA_MAX_EXPERTS
	maxContext   = 1 << 27
	maxWidth     = 1 << 20
	maxHeads     = 1 << 14
	maxVocabSize = 1 << 24
)

// parameters checks the hyper-parameters that llama.cpp asserts, divides by or
// allocates for.
func (c *checker) parameters() {
	layers, ok := c.number("block_count", true, 1, maxLayers)
	c.number("context_length", true, 1, maxContext)
	c.number("embedding_length", true, 1, maxWidth)
	if c.f.Has(c.f.ArchKey("embedding_length_out")) {
		c.number("embedding_length_out", false, 0, maxWidth)
	}
	if ok {
		c.heads(int(layers))
		c.experts(int(layers))
		c.perLayer("feed_forward_length", int(layers), 1<<24)
		c.number("nextn_predict_layers", false, 0, layers)
	}
	c.divisors()
	c.floats()
	c.enumerations()
}

// number reads an u32 key of the architecture and checks its range; false when
// it is absent or wrong. llama.cpp takes no other integer type there.
func (c *checker) number(name string, required bool, lo, hi uint64) (uint64, bool) {
	key := c.f.ArchKey(name)
	v, ok := c.f.Get(key)
	if !ok {
		if required {
			c.fault(ErrKey, hintConvert, "%s is missing", key)
		}
		return 0, false
	}
	n, isU32 := v.(uint32)
	if !isU32 {
		c.fault(ErrKey, hintConvert, "%s is %s instead of u32", key, describeType(v))
		return 0, false
	}
	if uint64(n) < lo || uint64(n) > hi {
		c.fault(ErrAbsurd, hintDownload, "%s is %d, not within %d and %d", key, n, lo, hi)
		return 0, false
	}
	return uint64(n), true
}

// perLayer reads a key that is one u32 or an array of one per layer; nil when it
// is absent or wrong.
func (c *checker) perLayer(name string, layers int, hi uint32) []uint32 {
	key := c.f.ArchKey(name)
	v, ok := c.f.Get(key)
	if !ok {
		return nil
	}
	values, ok := layerValues(v, layers)
	if !ok {
		c.fault(ErrKey, hintConvert, "%s is %s instead of u32 or an array of %d", key, describeType(v), layers)
		return nil
	}
	for i, n := range values {
		if n > hi {
			c.fault(ErrAbsurd, hintDownload, "%s is %d in layer %d, more than %d", key, n, i, hi)
			return nil
		}
	}
	return values
}

func layerValues(v any, layers int) ([]uint32, bool) {
	out := make([]uint32, layers)
	switch a := v.(type) {
	case uint32:
		for i := range out {
			out[i] = a
		}
		return out, true
	case []uint32:
		copy(out, a)
	case []int32:
		// llama.cpp reads them as unsigned, so that a negative one is absurdly large.
		for i := range min(layers, len(a)) {
			out[i] = uint32(a[i])
		}
	case []bool:
		for i := range min(layers, len(a)) {
			if a[i] {
				out[i] = 1
			}
		}
	default:
		return nil, false
	}
	return out, Len(v) == layers
}

// heads checks the numbers from which llama.cpp computes the shapes of attention.
func (c *checker) heads(layers int) {
	heads := c.perLayer("attention.head_count", layers, maxHeads)
	kv := heads
	if c.f.Has(c.f.ArchKey("attention.head_count_kv")) {
		kv = c.perLayer("attention.head_count_kv", layers, maxHeads)
	}
	if heads == nil || heads[0] == 0 {
		if !c.has(headless) {
			c.fault(ErrKey, hintConvert, "%s is missing or 0", c.f.ArchKey("attention.head_count"))
		}
		return
	}
	if kv != nil {
		c.groups(heads, kv)
	}
	c.headSize(uint64(heads[0]))
}

func (c *checker) groups(heads, kv []uint32) {
	for i := range heads {
		if kv[i] != 0 && heads[i]%kv[i] != 0 {
			c.fault(ErrKey, hintConvert, "layer %d has %d heads, no multiple of its %d key-value heads", i, heads[i], kv[i])
			return
		}
		if c.has(uniform) && (kv[i] == 0 || heads[i] != heads[0] || kv[i] != kv[0]) {
			c.fault(ErrKey, hintConvert, "layer %d has %d heads and %d key-value heads, unlike the first (%d and %d)",
				i, heads[i], kv[i], heads[0], kv[0])
			return
		}
	}
}

// headSize checks the widths of keys, values and rotation.
func (c *checker) headSize(heads uint64) {
	width, ok := c.f.Uint(c.f.ArchKey("embedding_length"))
	if !ok {
		return
	}
	k, okK := c.orNumber("attention.key_length", width/heads)
	v, okV := c.orNumber("attention.value_length", width/heads)
	rot, okR := c.orNumber("rope.dimension_count", k)
	if !okK || !okV || !okR {
		return
	}
	if !c.f.Has(c.f.ArchKey("attention.key_length")) && width%heads != 0 {
		c.fault(ErrKey, hintConvert, "%s is %d, no multiple of %d heads", c.f.ArchKey("embedding_length"), width, heads)
	}
	if k == 0 {
		c.fault(ErrKey, hintConvert, "%s is %d, less than %d heads", c.f.ArchKey("embedding_length"), width, heads)
		return
	}
	if c.has(square) && k != v {
		c.fault(ErrKey, hintConvert, "keys are %d wide and values %d; %s needs them equal", k, v, c.f.Architecture())
	}
	if c.has(rotary) && rot != k {
		c.fault(ErrKey, hintConvert, "%s is %d; %s needs the width of a head, %d",
			c.f.ArchKey("rope.dimension_count"), rot, c.f.Architecture(), k)
	}
	if c.has(rotary) && rot%2 != 0 {
		c.fault(ErrKey, hintConvert, "%s is %d; rotation needs pairs", c.f.ArchKey("rope.dimension_count"), rot)
	}
}

// orNumber reads a width, or takes what it defaults to.
func (c *checker) orNumber(name string, otherwise uint64) (uint64, bool) {
	if !c.f.Has(c.f.ArchKey(name)) {
		return otherwise, true
	}
	return c.number(name, false, 0, maxWidth)
}

// experts checks what llama.cpp asserts of mixtures of experts.
func (c *checker) experts(layers int) {
	count, _ := c.number("expert_count", false, 0, maxExperts)
	used := c.perLayer("expert_used_count", layers, maxExperts)
	most := uint32(0)
	if used != nil {
		most = slices.Max(used)
	}
	if count == 0 && c.has(experts) {
		c.fault(ErrKey, hintConvert, "%s is missing or 0; %s has experts", c.f.ArchKey("expert_count"), c.f.Architecture())
		return
	}
	if strings.HasPrefix(c.f.Architecture(), "hunyuan") && count <= 1 {
		return // llama.cpp takes one expert for none
	}
	if uint64(most) > count {
		c.fault(ErrKey, hintConvert, "%d experts are used of %d", most, count)
	}
	if count > 0 && most == 0 {
		c.fault(ErrKey, hintConvert, "%s is missing or 0", c.f.ArchKey("expert_used_count"))
	}
	if c.has(experts) && used != nil && used[0] == 0 {
		c.fault(ErrKey, hintConvert, "%s is 0 in the first layer", c.f.ArchKey("expert_used_count"))
	}
	c.expertGroups(count)
}

func (c *checker) expertGroups(count uint64) {
	groups, _ := c.number("expert_group_count", false, 0, maxExperts)
	used, _ := c.number("expert_group_used_count", false, 0, maxExperts)
	switch {
	case groups == 0:
	case groups >= count:
		c.fault(ErrKey, hintConvert, "%d groups of %d experts", groups, count)
	case groups > 1 && (count%groups != 0 || used == 0 || used >= groups):
		c.fault(ErrKey, hintConvert, "%d of %d groups of %d experts cannot be used", used, groups, count)
	}
}

// divisors are keys that llama.cpp divides by without looking.
func (c *checker) divisors() {
	for _, name := range []string{"full_attention_interval", "ssm.group_count", "wkv.head_size",
		"attention.indexer.block_size", "num_loops", "experts_per_group"} {
		if v, ok := c.f.Get(c.f.ArchKey(name)); ok && v == uint32(0) {
			c.fault(ErrKey, hintConvert, "%s is 0", c.f.ArchKey(name))
		}
	}
}

// floats finds numbers that abort a norm or make everything NaN.
func (c *checker) floats() {
	prefix := c.f.Architecture() + "."
	for _, kv := range c.f.KVs {
		x, ok := toFloat(kv.Value)
		if !ok || !strings.HasPrefix(kv.Key, prefix) {
			continue
		}
		infinite := math.IsNaN(x) || math.IsInf(x, 0)
		if strings.HasSuffix(kv.Key, "epsilon") && (infinite || x < 0) ||
			strings.HasSuffix(kv.Key, "rope.freq_base") && (infinite || x <= 0) {
			c.fault(ErrAbsurd, hintConvert, "%s is %v", clip(kv.Key), x)
		} else if infinite {
			c.warn(ErrAbsurd, hintConvert, "%s is %v", clip(kv.Key), x)
		}
	}
}

// enumerations are numbers and names of which llama.cpp knows a few and aborts on the rest.
func (c *checker) enumerations() {
	if v, ok := c.f.Get(c.f.ArchKey("rope.scaling.type")); ok {
		if !slices.Contains([]string{"none", "linear", "yarn", "longrope"}, fmt.Sprint(v)) {
			c.fault(ErrKey, hintConvert, "%s is %s", c.f.ArchKey("rope.scaling.type"), clipValue(v))
		}
	}
	for name, most := range map[string]uint32{"pooling_type": 4, "expert_gating_func": 4} {
		v, _ := c.f.Get(c.f.ArchKey(name))
		if n, ok := v.(uint32); ok && n > most && n != math.MaxUint32 {
			c.fault(ErrKey, hintConvert, "%s is %d, more than %d", c.f.ArchKey(name), n, most)
		}
	}
}
