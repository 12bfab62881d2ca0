#!/usr/bin/env bash
# Scores every model of the family on the held-out text and prints a table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
echo "| model | parameters | bytes | nats/token | bits/byte | perplexity |"
echo "|---|--:|--:|--:|--:|--:|"
for f in models/axon-*.gguf; do
  parameters=$(bin/axon model info "$f" | sed -n 's/^parameters *//p')
  bin/axon score --whole --skip 256 --file models/heldout.txt --model "$f" |
    awk -v name="$(basename "$f" .gguf)" -v parameters="$parameters" -v bytes="$(wc -c <"$f")" '
      /^cross-entropy/ { nats = $2; bits = $6 }
      /^perplexity/ { printf "%.4f | %s | %s | %d | %.4f | %.4f | %.2f |\n", nats, name, parameters, bytes, nats, bits, $2 }'
done | sort -rn | cut -d' ' -f2-
