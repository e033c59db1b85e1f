"""BERT for question answering fine-tuned in PyTorch with transformers, by the recipe of `cargo xtask train bert-qa`.

    python bert_qa.py --squad SQUAD --encoder FOLDER                   trains, and tells exact match and F1 after each epoch
    python bert_qa.py --squad SQUAD --encoder FOLDER --dropout 0 --steps 20     tells the losses of the first steps

The windows of each step are those of the Rust program: its random numbers are made by `tests/fixtures/recipe.py`, which was
written from their description, and so is the head that it starts from. Dropout is PyTorch's own.

With `--serve` it is a contender of the benchmark `step`: each line of standard input is an order, each answer a line of JSON.
Needs PyTorch, transformers and NumPy.
"""

import argparse
import collections
import contextlib
import json
import math
import pathlib
import re
import resource
import string
import sys
import time

import numpy as np
import torch
from transformers import AutoConfig, AutoTokenizer, BertForQuestionAnswering, get_linear_schedule_with_warmup

HERE = pathlib.Path(__file__).parent
sys.path += [str(HERE / "../../tests/fixtures"), str(HERE / "../../../models/tests/fixtures")]
import formula_weights  # noqa: E402
import recipe  # noqa: E402

BATCHES, BUCKET, LONGEST = 5, 50, 30

parser = argparse.ArgumentParser()
parser.add_argument("--squad", type=pathlib.Path, required=True)
parser.add_argument("--encoder", type=pathlib.Path, required=True)
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--batch-size", type=int, default=16)
parser.add_argument("--lr", type=float, default=1e-4)
parser.add_argument("--warm-up", type=float, default=0.1)
parser.add_argument("--weight-decay", type=float, default=0.01)
parser.add_argument("--dropout", type=float, default=0.1)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--limit", type=int)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--steps", type=int, help="stop after so many steps")
parser.add_argument("--mode", choices=["eager", "compiled", "bf16"], default="eager")
parser.add_argument("--unbucketed", action="store_true", help="windows of any length in a step")
parser.add_argument("--serve", action="store_true")
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
torch.manual_seed(arguments.seed)
tokenizer = AutoTokenizer.from_pretrained(arguments.encoder)


def questions():
    """Every question with its context; those of every fifth article are held out."""
    learnt, held_out = [], []
    for index, article in enumerate(json.loads(arguments.squad.read_text())["data"]):
        part = held_out if index % 5 == 4 else learnt
        for paragraph in article["paragraphs"]:
            part += [(paragraph["context"], entry) for entry in paragraph["qas"]]
    return learnt[: arguments.limit], held_out[: arguments.limit]


def windows(context, question):
    found = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=384,
        stride=128,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    for index, ids in enumerate(found["input_ids"]):
        source = found.sequence_ids(index)
        offsets = [place if part == 1 else None for place, part in zip(found["offset_mapping"][index], source)]
        yield ids, found["token_type_ids"][index], offsets


def lessons(context, entry):
    """The windows of a question with the first and the last token of its first answer; both 0 where it is not all there."""
    answer = entry["answers"][0]
    start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    for ids, types, offsets in windows(context, entry["question"]):
        inside = [index for index, place in enumerate(offsets) if place is not None]
        label = (0, 0)
        if offsets[inside[0]][0] <= start and offsets[inside[-1]][1] >= end:
            first = max(index for index in inside if offsets[index][0] <= start)
            last = min(index for index in inside if offsets[index][1] >= end)
            label = (first, last)
        yield ids, types, label


def permutation(purpose, epoch, count):
    """`order` of `recipe.py` for any purpose."""
    shuffle, recipe.SHUFFLE = recipe.SHUFFLE, purpose
    found = recipe.order(arguments.seed, epoch, count)
    recipe.SHUFFLE = shuffle
    return found


def batches(lengths, epoch):
    """The windows of each step: those of like length together, but for the last step, which takes what is left."""
    size = arguments.batch_size
    order = permutation(recipe.SHUFFLE, epoch, len(lengths))
    if arguments.unbucketed:
        return [order[start : start + size] for start in range(0, len(order), size)]
    whole = len(order) // size * size
    order, rest = order[:whole], order[whole:]
    for start in range(0, whole, BUCKET * size):
        order[start : start + BUCKET * size] = sorted(order[start : start + BUCKET * size], key=lambda i: lengths[i])
    steps = [order[start : start + size] for start in range(0, whole, size)]
    return [steps[index] for index in permutation(BATCHES, epoch, len(steps))] + ([rest] if rest else [])


def padded(rows, value=0):
    longest = max(len(row) for row in rows)
    return torch.tensor([list(row) + [value] * (longest - len(row)) for row in rows])


class Training:
    def __init__(self):
        learnt, self.exam = questions()
        self.lessons = [lesson for context, entry in learnt for lesson in lessons(context, entry)]
        config = AutoConfig.from_pretrained(arguments.encoder)
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = arguments.dropout
        self.network = BertForQuestionAnswering.from_pretrained(arguments.encoder, config=config)
        head = self.network.qa_outputs
        deviation = config.initializer_range
        weight = formula_weights.normal(arguments.seed, "qa_outputs.weight", tuple(head.weight.shape), deviation, 0.0)
        head.weight.data, head.bias.data = torch.from_numpy(weight), torch.zeros_like(head.bias)
        named = list(self.network.named_parameters())
        exempt = [parameter for name, parameter in named if "LayerNorm" in name or name.endswith("bias")]
        others = [parameter for name, parameter in named if not ("LayerNorm" in name or name.endswith("bias"))]
        groups = [{"params": others, "weight_decay": arguments.weight_decay}, {"params": exempt, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=arguments.lr)
        steps = arguments.epochs * math.ceil(len(self.lessons) / arguments.batch_size)
        self.schedule = get_linear_schedule_with_warmup(self.optimizer, math.ceil(steps * arguments.warm_up), steps)
        self.forward = torch.compile(self.network, dynamic=True) if arguments.mode == "compiled" else self.network
        self.lengths = [len(ids) for ids, _, _ in self.lessons]
        self.epoch, self.queue = 0, []

    def cast(self):
        if arguments.mode == "bf16":
            return torch.autocast("cpu", dtype=torch.bfloat16)
        return contextlib.nullcontext()

    def step(self):
        """Milliseconds of data, forward, backward and optimiser, the loss, and the tokens."""
        laps = [time.perf_counter()]
        if not self.queue:
            self.queue = batches(self.lengths, self.epoch)
            self.epoch += 1
        chosen = [self.lessons[index] for index in self.queue.pop(0)]
        ids, types, labels = zip(*chosen)
        mask = padded([[1] * len(row) for row in ids])
        start, end = torch.tensor(labels).T
        inputs = dict(input_ids=padded(ids), token_type_ids=padded(types), attention_mask=mask)
        laps.append(time.perf_counter())
        self.optimizer.zero_grad()
        with self.cast():
            # The logits of padding take no part, as in the Rust program; transformers' own loss lets them.
            output = self.forward(**inputs)
            silent = (1.0 - mask) * torch.finfo(torch.float32).min
            places = [(output.start_logits.float() + silent, start), (output.end_logits.float() + silent, end)]
            loss = sum(torch.nn.functional.cross_entropy(logits, place) for logits, place in places) / 2
        laps.append(time.perf_counter())
        loss.backward()
        laps.append(time.perf_counter())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        laps.append(time.perf_counter())
        return [1e3 * (b - a) for a, b in zip(laps, laps[1:])], loss.item(), int(mask.sum())

    def steps(self, count):
        self.network.train()
        steps = [self.step() for _ in range(int(count))]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {
            "steps": [times for times, _, _ in steps],
            "losses": [loss for _, loss, _ in steps],
            "tokens": [tokens for _, _, tokens in steps],
            "peak_mib": peak,
            "cpu_seconds": time.process_time(),
        }

    def peak(self):
        a, b = torch.full((2048, 2048), 0.5), torch.full((2048, 2048), 0.5)
        times = []
        for _ in range(10):
            started = time.perf_counter()
            a @ b
            times.append(time.perf_counter() - started)
        return {"gflops": 2 * 2048**3 / min(times) / 1e9}

    @torch.inference_mode()
    def judge(self):
        """Exact match and F1 of the questions held out, in percent."""
        self.network.eval()
        asked = [(index, window) for index, (context, entry) in enumerate(self.exam) for window in windows(context, entry["question"])]
        asked.sort(key=lambda one: len(one[1][0]))
        best = [(-math.inf, "")] * len(self.exam)
        for first in range(0, len(asked), 16):
            part = asked[first : first + 16]
            ids, types = [window[0] for _, window in part], [window[1] for _, window in part]
            mask = padded([[1] * len(row) for row in ids])
            with self.cast():
                output = self.network(input_ids=padded(ids), token_type_ids=padded(types), attention_mask=mask)
            for row, (index, (_, _, offsets)) in enumerate(part):
                inside = [place for place, offset in enumerate(offsets) if offset is not None]
                start, end = output.start_logits[row, inside].float(), output.end_logits[row, inside].float()
                sums = start[:, None] + end[None, :]
                allowed = torch.ones_like(sums).triu().tril(LONGEST - 1).bool()
                value, place = sums.masked_fill(~allowed, -math.inf).flatten().max(0)
                if value.item() > best[index][0]:
                    begin, finish = divmod(place.item(), len(inside))
                    text = self.exam[index][0][offsets[inside[begin]][0] : offsets[inside[finish]][1]]
                    best[index] = (value.item(), text)
        exact = f1 = 0.0
        for (_, text), (_, entry) in zip(best, self.exam):
            answers = [answer["text"] for answer in entry["answers"]]
            exact += max(normalized(text) == normalized(answer) for answer in answers)
            f1 += max(word_f1(text, answer) for answer in answers)
        return 100 * exact / len(self.exam), 100 * f1 / len(self.exam)


def normalized(text):
    text = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def word_f1(prediction, answer):
    found, right = normalized(prediction).split(), normalized(answer).split()
    common = sum((collections.Counter(found) & collections.Counter(right)).values())
    return 0.0 if common == 0 else 2 * common / (len(found) + len(right))


def main():
    training = Training()
    if arguments.serve:
        for line in sys.stdin:
            order, *words = line.split()
            print(json.dumps(getattr(training, order)(*words)), flush=True)
        return
    print(f"{len(training.lessons)} windows to learn from, {len(training.exam)} questions to judge by", flush=True)
    training.network.train()
    steps, done = math.ceil(len(training.lessons) / arguments.batch_size), 0
    for epoch in range(1, arguments.epochs + 1):
        training.network.train()
        for step in range(steps):
            times, loss, _ = training.step()
            done += 1
            if step % 10 == 0 or arguments.steps:
                print(json.dumps({"epoch": epoch, "step": step, "loss": loss, "ms": sum(times)}), flush=True)
            if done == arguments.steps:
                return
        exact, f1 = training.judge()
        print(json.dumps({"epoch": epoch, "exact_match": exact, "f1": f1, "seed": arguments.seed}), flush=True)


main()
