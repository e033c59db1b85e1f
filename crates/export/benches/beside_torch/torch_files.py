"""PyTorch's own files of three networks, and their weights, for the benchmark `beside_torch`.

The legacy exporter (`dynamo=False`) still writes opset 11. Weights are random, from a seed: times do not depend on them.
"""

import argparse
import pathlib
import warnings

import torch
import torch.nn.functional as F
import torchvision
import transformers
from safetensors.torch import save_file
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--out", type=pathlib.Path, required=True)
parser.add_argument("networks", nargs="+")
arguments = parser.parse_args()
arguments.out.mkdir(parents=True, exist_ok=True)
warnings.filterwarnings("ignore")
transformers.logging.disable_progress_bar()


class Net(nn.Module):
    """The network of PyTorch's MNIST example."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.dropout2 = nn.Dropout(0.5)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = self.dropout1(F.max_pool2d(x, 2))
        x = F.relu(self.fc1(torch.flatten(x, 1)))
        return F.log_softmax(self.fc2(self.dropout2(x)), dim=1)


class QuestionAnswering(nn.Module):
    """A BERT that takes its three inputs in the order of the file, and gives two tensors."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        answer = self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        return answer.start_logits, answer.end_logits


def write(name, network, inputs, dynamic):
    """Writes the network; `dynamic` has the inputs in order, and the outputs, with the names of their axes."""
    names = list(dynamic)
    torch.onnx.export(
        network,
        inputs,
        str(arguments.out / f"{name}.onnx"),
        opset_version=11,
        dynamo=False,
        input_names=names[: len(inputs)],
        output_names=names[len(inputs) :],
        dynamic_axes={value: dict(enumerate(axes)) for value, axes in dynamic.items()},
    )


def prepared(network):
    """Fresh norms and biases are ones and zeros, which a runtime might remove."""
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter += 0.02 * torch.randn_like(parameter)
    return network.eval()


torch.manual_seed(1)
if "mnist" in arguments.networks:
    network = prepared(Net())
    save_file(network.state_dict(), arguments.out / "mnist.safetensors")
    write("mnist", network, (torch.randn(2, 1, 28, 28),), {"input": ["batch"], "output": ["batch"]})
if "alexnet" in arguments.networks:
    network = prepared(torchvision.models.alexnet())
    save_file(network.state_dict(), arguments.out / "alexnet.safetensors")
    write("alexnet", network, (torch.randn(2, 3, 224, 224),), {"input": ["batch"], "output": ["batch"]})
if "bert-qa" in arguments.networks:
    config = transformers.BertConfig(
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        # At opset 11 there is no fused attention to export.
        attn_implementation="eager",
    )
    network = prepared(transformers.BertForQuestionAnswering(config))
    network.save_pretrained(arguments.out / "bert-qa")
    ids = torch.randint(0, 30522, (2, 16))
    inputs = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    names = ["input_ids", "attention_mask", "token_type_ids", "start_logits", "end_logits"]
    write("bert-qa", QuestionAnswering(network), inputs, {name: ["batch", "sequence"] for name in names})
