"""Write a checkpoint as a GGUF file: matrices in F16, norms in F32."""

import argparse

import gguf
import numpy as np
import torch

import tokenizer
from model import FAMILY, Llama

NAMES = {
    "wq": "attn_q", "wk": "attn_k", "wv": "attn_v", "wo": "attn_output",
    "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
    "attn_norm": "attn_norm", "ffn_norm": "ffn_norm",
}


def gguf_name(name):
    """The name llama.cpp gives a tensor: blocks.3.wq.weight is blk.3.attn_q.weight."""
    if name == "embed.weight":
        return "token_embd.weight"  # and, as there is no output.weight, the output too
    if name == "norm.weight":
        return "output_norm.weight"
    _, layer, part, _ = name.split(".")
    return f"blk.{layer}.{NAMES[part]}.weight"


def load_model(path):
    saved = torch.load(path, weights_only=True)
    model = Llama(FAMILY[saved["name"]])
    model.load_state_dict(saved["model"])
    return model.eval(), saved


def write(model, tok, path):
    c = model.config
    w = gguf.GGUFWriter(path, "llama")
    w.add_name(c.name)
    w.add_description(
        "A small English model trained on the documentation comments and "
        "sources of the Go distribution (BSD-3-Clause, The Go Authors)."
    )
    w.add_license("bsd-3-clause")
    w.add_size_label(size_label(model))
    w.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    w.add_vocab_size(c.vocab)
    w.add_context_length(c.context)
    w.add_embedding_length(c.dim)
    w.add_block_count(c.layers)
    w.add_feed_forward_length(c.ffn)
    w.add_head_count(c.heads)
    w.add_head_count_kv(c.heads)
    w.add_layer_norm_rms_eps(c.eps)
    w.add_rope_dimension_count(c.dim // c.heads)
    w.add_rope_freq_base(c.rope_base)

    tokens, merges = tokenizer.tokens_and_merges(tok)
    eot = tok.token_to_id(tokenizer.EOT)
    types = [gguf.TokenType.CONTROL if i == eot else gguf.TokenType.NORMAL for i in range(len(tokens))]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types(types)
    w.add_token_merges(merges)
    w.add_bos_token_id(eot)
    w.add_eos_token_id(eot)
    w.add_eot_token_id(eot)
    w.add_add_bos_token(False)

    for name, p in model.state_dict().items():
        kind = np.float16 if p.dim() == 2 else np.float32
        w.add_tensor(gguf_name(name), p.numpy().astype(kind))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def size_label(model):
    n = model.parameter_count()
    return f"{n / 1e6:.1f}M" if n >= 1e6 else f"{n / 1e3:.0f}K"


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--checkpoint", required=True)
    ap.add_argument("--tokenizer", required=True, help="the one it was trained with")
    ap.add_argument("--out", required=True, help="the GGUF file to write")
    args = ap.parse_args()
    model, _ = load_model(args.checkpoint)
    write(model, tokenizer.load(args.tokenizer), args.out)
