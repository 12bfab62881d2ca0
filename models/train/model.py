"""The llama architecture, as small as it goes, and the sizes of the family."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    name: str
    dim: int
    layers: int
    heads: int
    ffn: int
    vocab: int = 4096
    context: int = 1024
    rope_base: float = 10000.0
    eps: float = 1e-5


FAMILY = {
    c.name: c
    for c in (
        Config("axon-70k", dim=16, layers=2, heads=1, ffn=48),
        Config("axon-200k", dim=32, layers=5, heads=2, ffn=96),
        Config("axon-800k", dim=96, layers=4, heads=3, ffn=256),
        Config("axon-3m", dim=192, layers=6, heads=3, ffn=512),
        Config("axon-gpt2vocab", dim=64, layers=4, heads=2, ffn=176, vocab=50257),
    )
}


class RMSNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(dim)), eps

    def forward(self, x):
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rope_table(config, length):
    """The turn of every pair at every position, as unit complex numbers."""
    half = config.dim // config.heads // 2
    freq = config.rope_base ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.outer(torch.arange(length, dtype=torch.float64), freq)
    return torch.polar(torch.ones_like(angle), angle).to(torch.complex64)


def rotate(x, table):
    """Turn neighbouring pairs (0,1), (2,3), ...: what llama.cpp calls NORM.

    Trained this way, the q and k matrices need no permutation on export.
    x is batch, position, head, dimension.
    """
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * table[: x.shape[1], None]).flatten(-2).type_as(x)


def attention(q, k, v):
    """Causal attention over batch, head, position, dimension."""
    t = q.shape[2]
    if t > 256 or q.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    # Written out, short windows train almost twice as fast on a CPU.
    mask = torch.full((t, t), float("-inf"), dtype=q.dtype).triu(1)
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + mask
    return torch.softmax(scores, -1, dtype=q.dtype) @ v


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.attn_norm = RMSNorm(c.dim, c.eps)
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(c.dim, c.dim, bias=False) for _ in range(4))
        self.ffn_norm = RMSNorm(c.dim, c.eps)
        self.gate = nn.Linear(c.dim, c.ffn, bias=False)
        self.up = nn.Linear(c.dim, c.ffn, bias=False)
        self.down = nn.Linear(c.ffn, c.dim, bias=False)

    def forward(self, x, table):
        b, t, d = x.shape
        h = self.attn_norm(x)
        q, k, v = (w(h).view(b, t, self.heads, -1) for w in (self.wq, self.wk, self.wv))
        q, k = rotate(q, table), rotate(k, table)
        a = attention(*(z.transpose(1, 2) for z in (q, k, v)))
        x = x + self.wo(a.transpose(1, 2).reshape(b, t, d))
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab, config.dim)  # also the output matrix
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.dim, config.eps)
        self.register_buffer("table", rope_table(config, config.context), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                last = name.endswith(("wo.weight", "down.weight"))
                std = 0.0 if last else p.shape[1] ** -0.5  # a block starts as the identity
                std = 0.02 if name.startswith("embed") else std
                nn.init.normal_(p, std=std)

    def hidden(self, tokens):
        x = self.embed(tokens)
        for block in self.blocks:
            x = block(x, self.table)
        return self.norm(x)

    def forward(self, tokens):
        return F.linear(self.hidden(tokens), self.embed.weight)

    def loss(self, tokens, targets, reduction="mean"):
        logits = self(tokens).float()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction=reduction)

    def parameter_count(self):
        return sum(p.numel() for p in self.parameters())
