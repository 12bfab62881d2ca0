"""Build the text to train on from the Go distribution that is installed here.

Writes three files into --out: train.txt (documents separated by the line
<|endoftext|>), heldout.txt (documents separated by two blank lines) and
corpus.json (what went in, with hashes). The same Go release gives the same
bytes: files are taken in sorted order and every choice is made by a hash.
"""

import argparse
import hashlib
import html
import json
import os
import re
import subprocess

EOT = "<|endoftext|>"
HELDOUT_IN_1000 = 44  # of 1,000 package directories, how many are held out
SOURCE_IN_1000 = 45  # of 1,000 source files, how many are also kept as source

GENERATED = re.compile(r"^// Code generated .*DO NOT EDIT", re.M)
LINE_COMMENTS = re.compile(r"(?:^[ \t]*//[^\n]*\n)+", re.M)
BLOCK_COMMENT = re.compile(r"^/\*(.*?)\*/", re.M | re.S)
DIRECTIVE = re.compile(r"^(go:|line |export |extern |\+build|#|nolint|lint:|sys[ n])")
NOT_PROSE = ("Copyright ", "Use of this source code", "license that can be", "Output:")
LIST_ITEM = re.compile(r"^\s*([-*+•]|\d+[.)])\s")


def bucket(name):
    """A number from 0 to 999 that depends on nothing but the name."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 1000


def held_out(path):
    # The same package stands in more than one place (vendored, or copied into
    # the FIPS module): those copies have to fall on the same side.
    directory = re.sub(r"^(src/)?(cmd/)?(vendor/)?", "", os.path.dirname(path))
    directory = directory.replace("internal/fips140/", "")
    return path.startswith("src/") and bucket("heldout0:" + directory) < HELDOUT_IN_1000


def walk(root):
    """All files to look at, sorted, relative to root."""
    for top in ("doc", "lib", "misc", "src", "test"):
        for directory, names, files in os.walk(os.path.join(root, top)):
            names[:] = sorted(n for n in names if n != "testdata")
            for name in sorted(files):
                yield os.path.relpath(os.path.join(directory, name), root)


def is_prose(text):
    """English words rather than tables, instructions or commented-out code."""
    words = re.findall(r"[A-Za-z][a-z]*", text)
    letters = sum(c.isalpha() and c.isascii() or c in " ,.'" for c in text)
    return len(words) >= 6 and letters >= 0.86 * len(text)


def paragraphs(comment):
    """Split a comment into paragraphs, each unwrapped into one line.

    Indented lines are code: they stay as they are. List items stay on lines
    of their own.
    """
    out = []
    for block in re.split(r"\n[ \t]*\n", comment):
        lines = [l.rstrip() for l in block.split("\n") if l.strip()]
        lines = [l for l in lines if not DIRECTIVE.match(l)]
        if not lines or any(bad in block for bad in NOT_PROSE):
            continue
        flowed = []
        for line in lines:
            code = line.startswith("\t") or line.startswith("    ")
            after_code = flowed and flowed[-1].startswith("\t")
            if LIST_ITEM.match(line) and not line.startswith("\t"):
                flowed.append(line.strip())
            elif code and not (flowed and LIST_ITEM.match(flowed[-1])):
                flowed.append("\t" + line.strip())
            elif flowed and not after_code:
                flowed[-1] += " " + line.strip()
            else:
                flowed.append(line.strip())
        out.append("\n".join(flowed))
    return out


def comment_paragraphs(source):
    """Prose of a Go file, in order: doc comments and longer inner comments."""
    found = []
    for m in LINE_COMMENTS.finditer(source):
        text = re.sub(r"^[ \t]*// ?", "", m.group(0), flags=re.M)
        found.append((m.start(), text, m.group(0)[0] in " \t"))
    for m in BLOCK_COMMENT.finditer(source):
        found.append((m.start(), m.group(1), False))
    out = []
    for _, text, inner in sorted(found):
        for p in paragraphs(text):
            code = p.startswith("\t")
            # A code sample only makes sense after the words that introduce it.
            if code and out and not inner and len(p) < 600 and out[-1].endswith(":"):
                out.append(p)
            elif not code and is_prose(p) and len(p) >= (60 if inner else 25):
                out.append(p)
    return out


def html_paragraphs(text):
    text = re.sub(r"(?s)<!--.*?-->|<(style|script).*?</\1>", "", text)
    text = re.sub(r"(?s)<pre.*?</pre>", "", text)
    text = re.sub(r"</?(p|h\d|li|ul|ol|div|table|tr|dt|dd)\b[^>]*>", "\n\n", text)
    text = html.unescape(re.sub(r"<[^>]*>", "", text))
    return [p for p in paragraphs(text) if is_prose(p)]


def plain_paragraphs(text):
    text = re.sub(r"(?s)```.*?```", "", text)
    return [p for p in paragraphs(text) if is_prose(p)]


def opticks(root):
    """Newton's Opticks (1730, public domain) comes with Go as test data."""
    with open(os.path.join(root, "src/testdata/Isaac.Newton-Opticks.txt"), encoding="utf-8") as f:
        text = f.read().replace("\r", "")
    text = re.sub(r"\[[^]]{0,80}\]|_", "", text)  # notes, figures, italics
    return [re.sub(r" +", " ", p) for p in plain_paragraphs(text)]


def ngrams(text, n=8):
    words = text.lower().split()
    return {hash8(words[i : i + n]) for i in range(max(1, len(words) - n + 1))}


def hash8(words):
    return hashlib.blake2b(" ".join(words).encode(), digest_size=8).digest()


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().replace("\r\n", "\n").replace(EOT, "")


def collect(root):
    """Return the documents to train on, held-out documents, source files."""
    train, heldout, sources = [], [], []
    for path in walk(root):
        full = os.path.join(root, path)
        if path.endswith(".go") and os.path.isfile(full):
            text = read(full)
            if GENERATED.search(text):
                continue
            found = comment_paragraphs(text)
            wanted = path.startswith("src/") and not path.endswith("_test.go")
            if wanted and not held_out(path) and bucket("source:" + path) < SOURCE_IN_1000:
                sources.append(re.sub(r"\A// Copyright.*?\n\n", "", text, flags=re.S).strip())
        elif path.endswith(".html") and path.startswith("doc/"):
            found = html_paragraphs(read(full))
        elif path.endswith(".md") or os.path.basename(path).startswith("README"):
            found = plain_paragraphs(read(full))
        else:
            continue
        (heldout if held_out(path) else train).append(found)
    train.append(opticks(root))
    return train, heldout, sources


def without_repeats(documents, seen):
    """Keep the first of every paragraph, and of documents what is left."""
    out = []
    for doc in documents:
        keep = []
        for p in doc:
            key = re.sub(r"\W+", "", p.lower())
            if key not in seen:
                seen.add(key)
                keep.append(p)
        if sum(map(len, keep)) >= 200:
            out.append(keep)
    return out


def without_overlap(heldout, train):
    """Drop held-out paragraphs that the training text more or less contains."""
    known = set()
    for doc in train:
        for p in doc:
            known |= ngrams(p)
    out = []
    for doc in heldout:
        keep = []
        for p in doc:
            grams = ngrams(p)
            # Held-out text is prose alone; a third of shared 8-grams is a copy.
            if "\t" not in p and len(grams & known) * 3 <= len(grams):
                keep.append(p)
        if sum(map(len, keep)) >= 200:
            out.append(keep)
    return out


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--goroot", default=None, help="default: what `go env GOROOT` says")
    ap.add_argument("--out", required=True, help="folder for the three files")
    args = ap.parse_args()
    root = args.goroot or subprocess.check_output(["go", "env", "GOROOT"], text=True).strip()

    train, heldout, sources = collect(root)
    seen = set()
    train = without_repeats(train, seen)
    heldout = without_overlap(without_repeats(heldout, seen), train)

    documents = ["\n\n".join(d) for d in train] + sources
    documents.sort(key=lambda d: hashlib.sha256(d.encode()).digest())  # a fixed shuffle
    train_text = f"\n{EOT}\n".join(documents)
    heldout_text = "\n\n\n".join("\n\n".join(d) for d in heldout) + "\n"

    os.makedirs(args.out, exist_ok=True)
    about = {
        "go_version": read(os.path.join(root, "VERSION")).split()[0],
        "train_documents": len(documents),
        "train_bytes": len(train_text.encode()),
        "train_source_bytes": sum(len(s.encode()) for s in sources),
        "train_sha256": hashlib.sha256(train_text.encode()).hexdigest(),
        "heldout_documents": len(heldout),
        "heldout_bytes": len(heldout_text.encode()),
        "heldout_sha256": hashlib.sha256(heldout_text.encode()).hexdigest(),
    }
    for name, text in (("train.txt", train_text), ("heldout.txt", heldout_text)):
        with open(os.path.join(args.out, name), "w", encoding="utf-8", newline="\n") as f:
            f.write(text)
    with open(os.path.join(args.out, "corpus.json"), "w") as f:
        json.dump(about, f, indent=2)
    print(json.dumps(about, indent=2))


if __name__ == "__main__":
    main()
