#!/usr/bin/env bash
# transformers 5.24.0 (with PyTorch 2.15.0): the loss of question answering depends on the padding beside a sequence.
#
# Expected: with an attention mask, padding changes neither the logits of the tokens nor the loss, which is over the tokens.
# Seen: `BertForQuestionAnswering` (and the other classes with the same head) takes the softmax of the start and end logits over all
# positions of the row, those of padding too. The logits of the tokens are the same with and without padding, to rounding; the loss
# is larger with it, and its gradient pushes down the logits of positions that hold nothing.
#
# Why it matters: the loss that is minimised, and its reported value, depend on with what a sequence shares its batch: on the batch
# size, on the order of the data, on whether batches are padded to a fixed length. A training without padding minimises another loss.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/environment"
"$folder/environment/bin/pip" install --quiet transformers==5.24.0 torch==2.15.0 numpy==2.4.6
cat > "$folder/finding.py" <<'PYTHON'
import torch
from transformers import BertConfig, BertForQuestionAnswering

torch.manual_seed(0)
config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
network = BertForQuestionAnswering(config).eval()
ids = torch.randint(1, 50, (1, 12))
losses = []
for padding in [0, 12, 100]:
    padded = torch.cat([ids, torch.zeros(1, padding, dtype=torch.long)], 1)
    mask = (torch.arange(12 + padding) < 12).long()[None]
    places = dict(start_positions=torch.tensor([3]), end_positions=torch.tensor([5]))
    with torch.no_grad():
        output = network(input_ids=padded, attention_mask=mask, **places)
    losses.append(output.loss.item())
    first = output.start_logits[0, 3].item()
    print(f"{padding:3} positions of padding: a logit {first:.6f}, the loss {output.loss.item():.4f}")
assert losses[0] + 0.5 < losses[1] < losses[2], "transformers has changed"
PYTHON
"$folder/environment/bin/python" "$folder/finding.py"
