#!/bin/sh
# Makes everything in models/ again, from the Go that is installed here.
#
#   sh models/train/run.sh WORK GPT2_VOCAB
#
# WORK is a folder for the virtual environment, the text and the checkpoints;
# GPT2_VOCAB is llama.cpp's models/ggml-vocab-gpt-2.gguf (after `make`:
# third_party/llama.cpp/dist/models/ggml-vocab-gpt-2.gguf).
set -eu
work=$1
gpt2=$2
here=$(cd "$(dirname "$0")" && pwd)
models=$(dirname "$here")

python3 -m venv "$work/venv"
py=$work/venv/bin/python
"$py" -m pip install -q -r "$here/requirements.txt"

"$py" "$here/corpus.py" --out "$work/corpus"
"$py" "$here/tokenizer.py" --text "$work/corpus/train.txt" --out "$work/tokenizer.json"
cp "$work/corpus/heldout.txt" "$models/heldout.txt"
cp "$work/tokenizer.json" "$here/tokenizer.json"

member() { # NAME STEPS TOKENIZER
	"$py" "$here/train.py" --name "$1" --steps "$2" --tokenizer "$3" \
		--text "$work/corpus/train.txt" --out "$work/checkpoints"
	"$py" "$here/export.py" --checkpoint "$work/checkpoints/$1.pt" \
		--tokenizer "$3" --out "$models/$1.gguf"
}
# One thread each: with more cores, run these side by side.
member axon-70k 1500 "$work/tokenizer.json"
member axon-200k 1500 "$work/tokenizer.json"
member axon-800k 1500 "$work/tokenizer.json"
member axon-3m 1500 "$work/tokenizer.json"
member axon-gpt2vocab 800 "$gpt2"

"$py" "$here/evaluate.py" --heldout "$models/heldout.txt" \
	--tokenizer "$work/tokenizer.json" --gpt2-vocab "$gpt2" \
	--checkpoints "$work/checkpoints" --corpus "$work/corpus/corpus.json" \
	--out "$here/results.json" \
	"$models/axon-70k.gguf" "$models/axon-200k.gguf" "$models/axon-800k.gguf" \
	"$models/axon-3m.gguf" "$models/axon-gpt2vocab.gguf"
