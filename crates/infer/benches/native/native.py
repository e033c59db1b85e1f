"""The Python side of the benchmark `native`: PyTorch and onnxruntime as contenders, and the networks for everyone.

`prepare` makes the networks in PyTorch and writes weights, inputs and PyTorch's outputs. `serve` runs one network in one
engine: each line of standard input is an order, each answer a line of JSON.
"""

import argparse
import json
import pathlib
import resource
import sys
import time

import numpy as np
from safetensors.numpy import load_file, save_file


def network(name, folder):
    """The network in PyTorch, with the weights in the folder if they are there."""
    import torch

    torch.manual_seed(1)
    if name == "bert-qa":
        from transformers import BertConfig, BertForQuestionAnswering

        if (folder / "bert-qa/model.safetensors").exists():
            return BertForQuestionAnswering.from_pretrained(folder / "bert-qa").eval()
        return BertForQuestionAnswering(BertConfig(**json.loads((folder / "bert.json").read_text()))).eval()
    if name == "alexnet":
        from torchvision.models import alexnet

        made = alexnet(weights=None)
    else:
        made = Net()
    weights = folder / f"{name}.safetensors"
    if weights.exists():
        from safetensors.torch import load_file as load

        made.load_state_dict(load(weights))
    return made.eval()


def Net():
    """The network of PyTorch's MNIST example."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    class MnistNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 32, 3, 1)
            self.conv2 = nn.Conv2d(32, 64, 3, 1)
            self.dropout1 = nn.Dropout(0.25)
            self.dropout2 = nn.Dropout(0.5)
            self.fc1 = nn.Linear(9216, 128)
            self.fc2 = nn.Linear(128, 10)

        def forward(self, input):
            x = F.relu(self.conv1(input))
            x = self.dropout1(F.max_pool2d(F.relu(self.conv2(x)), 2))
            x = F.relu(self.fc1(torch.flatten(x, 1)))
            return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)

    return MnistNet()


def pytorch(name, folder, threads):
    import torch

    torch.set_num_threads(threads)
    made = network(name, folder)
    inputs = {key: torch.from_numpy(value) for key, value in load_file(folder / f"{name}-inputs.safetensors").items()}

    def run():
        with torch.inference_mode():
            return made(**inputs) if name == "bert-qa" else made(inputs["input"])

    def outputs():
        found = run()
        if name == "bert-qa":
            return {"start_logits": found.start_logits.numpy(), "end_logits": found.end_logits.numpy()}
        return {"output": found.numpy()}

    return run, outputs, f"PyTorch {torch.__version__}"


def onnxruntime(name, folder, threads):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(folder / f"{name}.onnx", options, providers=["CPUExecutionProvider"])
    inputs = load_file(folder / f"{name}-inputs.safetensors")

    def outputs():
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, inputs)))

    return lambda: session.run(None, inputs), outputs, f"onnxruntime {ort.__version__}"


def prepare(arguments):
    import torch
    from safetensors.torch import save_file as save

    folder = arguments.folder
    generator = np.random.default_rng(1)
    bert = json.loads((folder / "bert.json").read_text())
    shape = (1, arguments.sequence)
    inputs = {
        "mnist": {"input": generator.standard_normal((1, 1, 28, 28), np.float32)},
        "alexnet": {"input": generator.standard_normal((1, 3, 224, 224), np.float32)},
        "bert-qa": {
            "input_ids": generator.integers(0, bert["vocab_size"], shape),
            "attention_mask": np.ones(shape, np.int64),
            "token_type_ids": (np.arange(shape[1])[None] >= shape[1] // 4).astype(np.int64),
        },
    }
    for name in arguments.networks.split(","):
        made = network(name, folder)
        if name == "bert-qa":
            made.save_pretrained(folder / name)
        elif not (folder / f"{name}.safetensors").exists():
            save(made.state_dict(), folder / f"{name}.safetensors")
        save_file(inputs[name], folder / f"{name}-inputs.safetensors")
        _, outputs, _ = pytorch(name, folder, 1)
        save_file({key: np.ascontiguousarray(value) for key, value in outputs().items()}, folder / f"{name}-outputs.safetensors")
        del made
        print(f"{name}: weights, inputs and outputs by PyTorch {torch.__version__}", file=sys.stderr)


def serve(arguments):
    started = time.perf_counter()
    open_engine = {"pytorch": pytorch, "onnxruntime": onnxruntime}[arguments.engine]
    run, outputs, version = open_engine(arguments.network, arguments.folder, arguments.threads)
    print(json.dumps({"version": version, "load_seconds": time.perf_counter() - started}), flush=True)
    for order in sys.stdin:
        word, _, rest = order.strip().partition(" ")
        if word == "outputs":
            save_file({key: np.ascontiguousarray(value) for key, value in outputs().items()}, rest)
            answer = {}
        elif word == "usage":
            answer = {"peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        else:
            seconds = []
            for _ in range(int(word)):
                begun = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - begun)
            answer = {"seconds": seconds}
        print(json.dumps(answer), flush=True)


parser = argparse.ArgumentParser()
commands = parser.add_subparsers(required=True)
command = commands.add_parser("prepare")
command.add_argument("--folder", type=pathlib.Path, required=True)
command.add_argument("--networks", required=True)
command.add_argument("--sequence", type=int, default=128)
command.set_defaults(run=prepare)
command = commands.add_parser("serve")
command.add_argument("--folder", type=pathlib.Path, required=True)
command.add_argument("--network", required=True)
command.add_argument("--engine", required=True)
command.add_argument("--threads", type=int, required=True)
command.set_defaults(run=serve)
arguments = parser.parse_args()
arguments.run(arguments)
