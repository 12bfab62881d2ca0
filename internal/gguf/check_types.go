package gguf

import "strings"

// scalarTypes are the keys that llama.cpp reads of every architecture, with one
// exact type, and refuses the whole file for otherwise. Names without a dot at the front are complete;
// the others follow the architecture's name.
var scalarTypes = func() map[string]ValueType {
	all := make(map[string]ValueType)
	add := func(t ValueType, names string) {
		for n := range strings.FieldsSeq(names) {
			all[n] = t
		}
	}
	add(TypeString, `general.name .rope.scaling.type`)
	add(TypeUint32, `general.file_type tokenizer.ggml.token_type_count .vocab_size .pooling_type
		.rope.scaling.original_context_length`)
	add(TypeBool, `tokenizer.ggml.add_space_prefix tokenizer.ggml.remove_extra_whitespaces
		tokenizer.ggml.add_sep_token .attention.causal .rope.scaling.finetuned`)
	add(TypeFloat32, `.attention.layer_norm_epsilon .attention.layer_norm_rms_epsilon .rope.freq_base
		.rope.scaling.factor .rope.scaling.attn_factor`)
	return all
}()

// scalars checks the types of keys that are looked at nowhere else.
func (c *checker) scalars() {
	prefix := c.f.Architecture()
	for _, kv := range c.f.KVs {
		want, ok := scalarTypes[kv.Key]
		if !ok {
			want, ok = scalarTypes[strings.TrimPrefix(kv.Key, prefix)]
		}
		got, _, _ := TypeOf(kv.Value)
		if !ok || got == want {
			continue
		}
		c.fault(ErrKey, hintConvert, "%s is %s instead of %v", kv.Key, describeType(kv.Value), want)
	}
}
