#!/usr/bin/env bash
# transformers (PyPI transformers 5.24.0) puts a normaliser of its own in the place of the one that tokenizer.json declares.
#
# Expected: tokenizer.json describes the whole tokeniser, so that AutoTokenizer and the library tokenizers 0.23.3 give the same
# tokens for the same file.
# Seen: they do while the file is alone in its folder. With a config.json beside it that only says {"model_type": "bert"}, or a
# tokenizer_config.json that names BertTokenizer without `do_lower_case`, AutoTokenizer lowercases and strips accents, although
# the file says `"lowercase": false`. With `"do_lower_case": false` it keeps capitals, although the file says `Lowercase`.
#
# Why it matters: a cased model gets other tokens than it was trained on, without a word, and other runtimes get the right ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 tokenizers==0.23.3
cd "$folder"
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error venv/bin/python - <<'PYTHON'
import json
import pathlib

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer

WORDS = ["[UNK]", "[PAD]", "[CLS]", "[SEP]", "[MASK]", "Paris", "Été", "paris", "été", "ete"]
NORMALIZERS = {
    "cased": normalizers.BertNormalizer(lowercase=False),
    "lowercasing": normalizers.Lowercase(),
}
BESIDE = {
    "nothing": {},
    "config.json": {"config.json": {"model_type": "bert"}},
    "class": {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer"}},
    "class, do_lower_case": {"tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": False}},
}
FIRM = {
    ("cased", "nothing"): ["Paris", "Été"],
    ("cased", "config.json"): ["paris", "ete"],
    ("cased", "class"): ["paris", "ete"],
    ("cased", "class, do_lower_case"): ["Paris", "Été"],
    ("lowercasing", "nothing"): ["paris", "été"],
    ("lowercasing", "config.json"): ["paris", "ete"],
    ("lowercasing", "class"): ["paris", "ete"],
    ("lowercasing", "class, do_lower_case"): ["Paris", "Été"],
}
for number, (kind, beside) in enumerate(FIRM):
    own = Tokenizer(models.WordPiece({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    own.normalizer = NORMALIZERS[kind]
    own.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    folder = pathlib.Path(str(number))
    folder.mkdir()
    own.save(str(folder / "tokenizer.json"))
    for name, content in BESIDE[beside].items():
        (folder / name).write_text(json.dumps(content))
    expected = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("Paris Été", add_special_tokens=False).tokens
    seen = AutoTokenizer.from_pretrained(folder).tokenize("Paris Été")
    print(f"{kind} tokenizer.json, beside it {beside}: tokenizers {expected}, transformers {seen}")
    assert expected == FIRM[kind, "nothing"], "tokenizers has changed"
    assert seen == FIRM[kind, beside], "transformers has changed"
PYTHON
