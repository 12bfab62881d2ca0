"""Check GGUF files against llama.cpp: the same tokens, the same logits.

Needs llama-tokenize and llama-server of llama.cpp.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
import urllib.request

import torch

import tokenizer
from evaluate import read_model

HARD = (
    "".join(chr(i) for i in range(1, 0x250)) + " \t\r\n\n  \n   x 　 é\u0301 "
    "don't we'll I'VE 123456 3.14 naïve Straße 日本語 русский 🙂👩‍💻 \u200b a\u00a0b   end  "
)
PORT = 18231


def llama_tokens(peers, path, text):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="") as f:
        f.write(text)
        f.flush()
        out = subprocess.run(
            [os.path.join(peers, "llama-tokenize"), "-m", path, "-f", f.name,
             "--ids", "--no-escape", "--no-parse-special", "--log-disable"],
            check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def post(body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/completion", json.dumps(body).encode(),
        {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request))


def llama_logprobs(peers, path, prompts, vocab):
    """Log-probabilities of every next token, from a llama-server of its own."""
    server = subprocess.Popen(
        [os.path.join(peers, "llama-server"), "-m", path, "--port", str(PORT), "-c", "1024",
         "-np", "1", "-t", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/health")
                break
            except OSError:
                time.sleep(0.2)
        for ids in prompts:
            reply = post({"prompt": ids, "n_predict": 1, "n_probs": vocab, "temperature": 0,
                          "cache_prompt": False})
            top = reply["completion_probabilities"][0]["top_logprobs"]
            row = torch.full((vocab,), float("nan"))
            for entry in top:
                row[entry["id"]] = entry["logprob"]
            yield row
    finally:
        server.terminate()
        server.wait()


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--peers", required=True, help="folder with llama.cpp's tools")
    ap.add_argument("--heldout", required=True)
    ap.add_argument("--tokenizer", required=True)
    ap.add_argument("--gpt2-vocab", required=True)
    ap.add_argument("files", nargs="+")
    args = ap.parse_args()
    torch.set_num_threads(1)
    with open(args.heldout, encoding="utf-8") as f:
        text = f.read().rstrip("\n")  # llama-tokenize drops a last newline of a file
    for path in args.files:
        model = read_model(path)
        vocab = model.config.vocab
        tok = tokenizer.load(args.tokenizer if vocab == tokenizer.SIZE else args.gpt2_vocab)
        for what in (text, HARD):
            ours, theirs = tok.encode(what).ids, llama_tokens(args.peers, path, what)
            same = ours == theirs
            print(f"{model.config.name}: {len(ours)} tokens, {'the same' if same else 'DIFFERENT'}")
        ids = tok.encode(text).ids
        prompts = [ids[:1], ids[:7], ids[100:400], ids[1000:2000]]
        for p, row in zip(prompts, llama_logprobs(args.peers, path, prompts, vocab)):
            with torch.no_grad():
                ours = torch.log_softmax(model(torch.tensor([p]))[0, -1], -1)
            known = ~row.isnan()
            worst = (ours - row)[known].abs().max().item()
            print(f"  after {len(p)} tokens: {int(known.sum())} log-probabilities, "
                  f"at most {worst:.4f} apart, same best: {bool(ours.argmax() == row.nan_to_num(-1e9).argmax())}")


if __name__ == "__main__":
    main()
