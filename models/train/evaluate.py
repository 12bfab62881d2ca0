"""Held-out loss of GGUF files, and what they write; fills results.json.

The weights are read back from the files, so the numbers are of what is
shipped (F16), not of what was trained (F32).
"""

import argparse
import json
import math
import os

import gguf
import torch

import tokenizer
from export import gguf_name
from model import FAMILY, Llama

WINDOW = 512
PROMPTS = (
    "Package http provides",
    "The function returns an error if",
    "This is the first time that",
    "In the beginning, the light",
)


def read_model(path):
    tensors = {t.name: t.data for t in gguf.GGUFReader(path).tensors}
    name = gguf.GGUFReader(path).fields["general.name"].contents()
    model = Llama(FAMILY[name])
    state = {k: torch.tensor(tensors[gguf_name(k)]).float() for k in model.state_dict()}
    model.load_state_dict(state)
    return model.eval()


def heldout_tokens(path, tok):
    with open(path, encoding="utf-8", newline="") as f:
        documents = f.read().rstrip("\n").split("\n\n\n")
    eot = tok.token_to_id(tokenizer.EOT)
    ids = [eot]
    for d in documents:
        ids += tok.encode(d).ids + [eot]
    return torch.tensor(ids), sum(len(d.encode()) for d in documents)


@torch.no_grad()
def loss_of(model, ids):
    """Nats of all tokens but the first, each seeing at most WINDOW - 1 before it."""
    total = 0.0
    for i in range(0, len(ids) - 1, WINDOW):
        part = ids[i : i + WINDOW + 1]
        total += model.loss(part[None, :-1], part[None, 1:], reduction="sum").item()
    return total


@torch.no_grad()
def write_on(model, tok, prompt, temperature, seed=0, count=60):
    """The prompt and what the model puts after it, from a document's start."""
    rng = torch.Generator().manual_seed(seed)
    eot = tok.token_to_id(tokenizer.EOT)
    ids = [eot] + tok.encode(prompt).ids
    for _ in range(count):
        logits = model(torch.tensor([ids]))[0, -1]
        if temperature == 0:
            ids.append(int(logits.argmax()))
        else:
            p = torch.softmax(logits / temperature, -1)
            ids.append(int(torch.multinomial(p, 1, generator=rng)))
        if ids[-1] == eot:
            break
    return tok.decode(ids[1:])


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--heldout", required=True)
    ap.add_argument("--tokenizer", required=True, help="tokenizer.json of the 4,096")
    ap.add_argument("--gpt2-vocab", required=True, help="llama.cpp's models/ggml-vocab-gpt-2.gguf")
    ap.add_argument("--checkpoints", required=True, help="folder train.py wrote to")
    ap.add_argument("--corpus", required=True, help="corpus.json from corpus.py")
    ap.add_argument("--out", required=True, help="results.json")
    ap.add_argument("files", nargs="+")
    args = ap.parse_args()
    torch.set_num_threads(1)
    rows = []
    for path in args.files:
        model = read_model(path)
        c = model.config
        tok = tokenizer.load(args.tokenizer if c.vocab == tokenizer.SIZE else args.gpt2_vocab)
        ids, n_bytes = heldout_tokens(args.heldout, tok)
        nats = loss_of(model, ids)
        saved = torch.load(os.path.join(args.checkpoints, c.name + ".pt"), weights_only=True)
        rows.append({
            "name": c.name,
            "parameters": model.parameter_count(),
            "dim": c.dim, "layers": c.layers, "heads": c.heads, "ffn": c.ffn, "vocab": c.vocab,
            "steps": saved["steps"],
            "tokens_seen": saved["steps"] * saved["batch_tokens"],
            "epochs": round(saved["steps"] * saved["batch_tokens"] / saved["text_tokens"], 2),
            "cpu_seconds": round(saved["seconds"]),
            "train_loss": round(saved["loss"], 4),
            "heldout_tokens": len(ids) - 1,
            "heldout_loss": round(nats / (len(ids) - 1), 4),
            "heldout_bits_per_byte": round(nats / math.log(2) / n_bytes, 4),
            "file_bytes": os.path.getsize(path),
            "samples": {
                str(t): [write_on(model, tok, p, t) for p in PROMPTS] for t in (0, 0.8)
            },
        })
        print("{name:16} {parameters:>9,} parameters  train {train_loss:.3f}  held out "
              "{heldout_loss:.3f} nats/token  {heldout_bits_per_byte:.3f} bits/byte".format(**rows[-1]), flush=True)
    with open(args.corpus) as f:
        results = {"corpus": json.load(f), "models": rows}
    with open(args.out, "w") as f:
        json.dump(results, f, indent=1, ensure_ascii=False)
        f.write("\n")


if __name__ == "__main__":
    main()
