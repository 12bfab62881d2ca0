"""Train one member of the family, on one CPU thread, and keep checkpoints.

The learning rate warms up, stays constant, and falls to zero over the last
30 % of the steps. Batches depend on the seed and the step alone, so a run of
N steps can start from a checkpoint of a longer or a shorter one, as long as
it was taken before either began to fall: the result is the same.
"""

import argparse
import json
import os
import time

import numpy as np
import torch

import tokenizer
from model import FAMILY, Llama

BATCH_TOKENS = {"axon-gpt2vocab": 2048}  # others: 4096
SHORT = 256  # window while the rate is constant
LONG = 1024  # window of the last steps, so that all positions get trained
WARMUP = 100
DECAY = 0.30
LONG_PART = 0.10
MUON_LR = 0.02
ADAM_LR = {"axon-70k": 0.012, "axon-200k": 0.008, "axon-gpt2vocab": 0.006}  # others: 0.004


def tokens_of(text_file, tok):
    """The training text as one row of tokens, every document led by its mark."""
    with open(text_file, encoding="utf-8", newline="") as f:
        documents = f.read().split(f"\n{tokenizer.EOT}\n")
    eot = tok.token_to_id(tokenizer.EOT)
    ids = []
    for enc in tok.encode_batch_fast(documents, add_special_tokens=False):
        ids.append(eot)
        ids.extend(enc.ids)
    ids.append(eot)
    return np.array(ids, dtype=np.int64)


def batch(ids, step, seed, rows, window):
    rng = np.random.default_rng([seed, step])
    starts = rng.integers(0, len(ids) - window, rows)
    text = torch.from_numpy(np.stack([ids[s : s + window + 1] for s in starts]))
    return text[:, :-1], text[:, 1:]


def rate(step, steps):
    """Fraction of the learning rate at a step."""
    return min(1.0, (step + 1) / WARMUP, (steps - step) / (DECAY * steps))


def optimisers(model):
    """Muon for the matrices of the blocks, AdamW for the embedding and norms."""
    matrices = [p for p in model.blocks.parameters() if p.dim() == 2]
    rest = [model.embed.weight] + [p for p in model.parameters() if p.dim() == 1]
    adam_lr = ADAM_LR.get(model.config.name, 0.004)
    return (
        torch.optim.Muon(matrices, lr=MUON_LR, momentum=0.95, weight_decay=0.01),
        torch.optim.AdamW(rest, lr=adam_lr, betas=(0.9, 0.95), weight_decay=0.0),
    )


def backward(model, x, y, chunk=512):
    """Loss and gradients, with the logits of a few positions at a time.

    The softmax is differentiated by hand (its gradient is p - 1 at the right
    token, p elsewhere): with up to 50,257 logits a row, every pass over them
    that autograd would add costs more than the blocks do.
    """
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model.hidden(x).flatten(0, 1)
    out = model.embed.weight.detach().bfloat16()
    out_grad = torch.zeros_like(model.embed.weight)
    hidden_grad, total, n = [], 0.0, y.numel()
    for h, t in zip(hidden.detach().bfloat16().split(chunk), y.flatten().split(chunk)):
        p = torch.softmax(h @ out.T, -1)
        right = torch.arange(len(t)), t
        total -= p[right].float().clamp_min(1e-30).log().sum().item()
        p[right] -= 1
        hidden_grad.append(p @ out)
        out_grad += p.T @ h
    hidden.backward((torch.cat(hidden_grad) / n).type_as(hidden))
    model.embed.weight.grad.add_(out_grad, alpha=1 / n)
    return total / n


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--name", required=True, choices=FAMILY)
    ap.add_argument("--steps", required=True, type=int)
    ap.add_argument("--text", required=True, help="train.txt from corpus.py")
    ap.add_argument("--tokenizer", required=True, help="tokenizer.json, or a GGUF with GPT-2's")
    ap.add_argument("--out", required=True, help="folder for checkpoints")
    ap.add_argument("--resume", help="a checkpoint to go on from")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--save-every", type=int, default=200)
    args = ap.parse_args()

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(args.seed)
    ids = tokens_of(args.text, tokenizer.load(args.tokenizer))
    model = Llama(FAMILY[args.name])
    opts = optimisers(model)
    batch_tokens = BATCH_TOKENS.get(args.name, 4096)
    first, spent, mean = 0, 0.0, None
    if args.resume:
        saved = torch.load(args.resume, weights_only=True)
        model.load_state_dict(saved["model"])
        for opt, state in zip(opts, saved["opts"]):
            opt.load_state_dict(state)
        first, spent, mean = saved["step"], saved["seconds"], saved["loss"]
    base = [opt.param_groups[0]["lr"] if not args.resume else saved["base"][i] for i, opt in enumerate(opts)]

    def save(step, path):
        torch.save({
            "name": args.name, "step": step, "steps": args.steps, "seed": args.seed,
            "loss": mean, "seconds": spent, "base": base, "text_tokens": len(ids),
            "batch_tokens": batch_tokens,
            "model": model.state_dict(), "opts": [o.state_dict() for o in opts],
        }, path + ".tmp")
        os.replace(path + ".tmp", path)

    os.makedirs(args.out, exist_ok=True)
    path = os.path.join(args.out, args.name)
    print(f"{args.name}: {model.parameter_count()} parameters, {len(ids)} tokens of text", flush=True)
    for step in range(first, args.steps):
        start = time.process_time()
        window = LONG if step >= (1 - LONG_PART) * args.steps else SHORT
        loss = backward(model, *batch(ids, step, args.seed, batch_tokens // window, window))
        for opt, lr in zip(opts, base):
            opt.param_groups[0]["lr"] = lr * rate(step, args.steps)
            opt.step()
            opt.zero_grad()
        mean = loss if mean is None else 0.98 * mean + 0.02 * loss
        spent += time.process_time() - start
        if (step + 1) % 20 == 0:
            print(f"step {step + 1}/{args.steps} loss {mean:.4f} cpu {spent:.0f} s", flush=True)
        if (step + 1) % args.save_every == 0:
            save(step + 1, f"{path}-{step + 1:06d}.pt")
    save(args.steps, path + ".pt")


if __name__ == "__main__":
    main()
