"""Train the 4,096-token byte-level BPE vocabulary, or load one of two.

The vocabulary is GPT-2's scheme (its split expression, its spelling of bytes)
with other merges, so that llama.cpp reads it as tokenizer.ggml.model "gpt2".
"""

import argparse
import json

from gguf import GGUFReader
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

EOT = "<|endoftext|>"
SIZE = 4096


def train(text_file, out_file):
    tok = byte_level(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE,
        special_tokens=[EOT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    with open(text_file, encoding="utf-8", newline="") as f:
        documents = f.read().split(f"\n{EOT}\n")
    tok.train_from_iterator(documents, trainer)
    assert tok.get_vocab_size() == SIZE
    tok.save(out_file, pretty=False)


def byte_level(model):
    tok = Tokenizer(model)
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tok.decoder = decoders.ByteLevel()
    return tok


def from_gguf(path):
    """GPT-2's own vocabulary, as llama.cpp keeps it in models/ggml-vocab-gpt-2.gguf."""
    fields = GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    tok = byte_level(models.BPE({t: i for i, t in enumerate(tokens)}, merges))
    tok.add_special_tokens([EOT])
    return tok


def load(path):
    return from_gguf(path) if path.endswith(".gguf") else Tokenizer.from_file(path)


def tokens_and_merges(tok):
    """What a GGUF file stores: tokens by number, and merges as "left right"."""
    bpe = json.loads(tok.to_str())["model"]
    by_id = sorted(tok.get_vocab().items(), key=lambda kv: kv[1])
    assert [i for _, i in by_id] == list(range(len(by_id)))
    merges = [m if isinstance(m, str) else " ".join(m) for m in bpe["merges"]]
    return [t for t, _ in by_id], merges


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--text", required=True, help="train.txt from corpus.py")
    ap.add_argument("--out", required=True, help="where to write tokenizer.json")
    args = ap.parse_args()
    train(args.text, args.out)
