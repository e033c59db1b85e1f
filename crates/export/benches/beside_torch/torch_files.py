"""PyTorch's own files of several networks, and their weights, for the benchmark `beside_torch`.

The legacy exporter (`dynamo=False`) still writes opset 11, which the networks of the article have; the others are written by both
exporters, as far as they can, at opset 17 and 18. Weights are random, from a seed: times do not depend on them.
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


def write_both(name, network, inputs, dynamic):
    """As `write`, by each exporter that can: NAME.onnx by the legacy one, NAME-dynamo.onnx by the other."""
    names = list(dynamic)
    known = {"input_names": names[: len(inputs)], "output_names": names[len(inputs) :]}
    axes = [dict(enumerate(axes)) for axes in dynamic.values()]
    try:
        legacy = str(arguments.out / f"{name}.onnx")
        torch.onnx.export(network, inputs, legacy, opset_version=17, dynamo=False, dynamic_axes=dict(zip(names, axes)), **known)
    except Exception as error:
        print(f"the legacy exporter did not write {name}: {type(error).__name__}: {error}")
    try:
        made = {axis: torch.export.Dim(axis) for axes in dynamic.values() for axis in axes}
        shapes = tuple({place: made[axis] for place, axis in of.items()} for of in axes[: len(inputs)])
        path = str(arguments.out / f"{name}-dynamo.onnx")
        torch.onnx.export(network, inputs, path, opset_version=18, dynamo=True, dynamic_shapes=shapes, external_data=False, **known)
    except Exception as error:
        print(f"the dynamo exporter did not write {name}: {type(error).__name__}: {error}")


def save_vision(name, network):
    """The layers in the order in which they are defined, under the names and in the layouts of vision.rs."""
    kept = {}
    kinds = {"convs": nn.Conv2d, "norms": nn.BatchNorm2d, "linears": nn.Linear}
    for kind, of in kinds.items():
        for place, layer in enumerate(layer for layer in network.modules() if isinstance(layer, of)):
            for key, value in layer.state_dict().items():
                if kind == "norms":
                    key = {"weight": "gamma", "bias": "beta"}.get(key, key)
                if kind == "linears" and key == "weight":
                    value = value.T
                if key != "num_batches_tracked":
                    kept[f"{kind}.{place}.{key}"] = value.contiguous()
    save_file(kept, arguments.out / f"{name}.safetensors")


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
for name, make in {"resnet50": torchvision.models.resnet50, "mobilenet": torchvision.models.mobilenet_v3_small}.items():
    if name in arguments.networks:
        network = prepared(make())
        save_vision(name, network)
        write_both(name, network, (torch.randn(2, 3, 224, 224),), {"input": ["batch"], "output": ["batch"]})
if "gpt2" in arguments.networks:

    class Logits(nn.Module):
        """A GPT-2 that takes and gives one tensor."""

        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, ids):
            return self.network(input_ids=ids, use_cache=False).logits

    config = transformers.GPT2Config(n_layer=2, activation_function="gelu", attn_implementation="eager")
    network = prepared(transformers.GPT2LMHeadModel(config))
    kept = {"words.weight": network.transformer.wte.weight, "places.weight": network.transformer.wpe.weight}
    norms, linears = [], []
    for block in network.transformer.h:
        norms += [block.ln_1, block.ln_2]
        linears += [block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc, block.mlp.c_proj]
    for place, norm in enumerate([*norms, network.transformer.ln_f]):
        kept |= {f"norms.{place}.gamma": norm.weight, f"norms.{place}.beta": norm.bias}
    for place, linear in enumerate(linears):
        # As in Burn, its weights are [from, to].
        kept |= {f"linears.{place}.weight": linear.weight, f"linears.{place}.bias": linear.bias}
    save_file({key: value.detach().contiguous() for key, value in kept.items()}, arguments.out / "gpt2.safetensors")
    ids = torch.randint(0, 10000, (2, 16))
    write_both("gpt2", Logits(network), (ids,), {"ids": ["batch", "length"], "logits": ["batch", "length"]})


class Hidden(nn.Module):
    """An encoder that takes its inputs in the order of the file, and gives its hidden states."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, input_ids, attention_mask, token_type_ids=None):
        kinds = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.network(input_ids=input_ids, attention_mask=attention_mask, **kinds).last_hidden_state


WIDE = dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
ENCODERS = {
    "bert": ("Bert", WIDE),
    "distilbert": ("DistilBert", dict(dim=384, n_layers=6, n_heads=12, hidden_dim=1536)),
    "roberta": ("Roberta", WIDE | dict(max_position_embeddings=514, type_vocab_size=1)),
    "electra": ("Electra", WIDE),
    "mpnet": ("MPNet", WIDE),
    "albert": ("Albert", WIDE),
    "modernbert": ("ModernBert", WIDE | dict(max_position_embeddings=1024)),
}
for name, (start, settings) in ENCODERS.items():
    if name in arguments.networks:
        config = getattr(transformers, f"{start}Config")(attn_implementation="eager", **settings)
        network = prepared(getattr(transformers, f"{start}Model")(config))
        network.save_pretrained(arguments.out / name)
        ids = torch.randint(1000, 30000, (2, 16))
        inputs = (ids, torch.ones_like(ids), torch.zeros_like(ids))
        names = ["input_ids", "attention_mask", "token_type_ids"]
        names = names if name in ["bert", "electra", "albert"] else names[:2]
        axes = {value: ["batch", "sequence"] for value in [*names, "last_hidden_state"]}
        write_both(name, Hidden(network).eval(), inputs[: len(names)], axes)
if "tagger" in arguments.networks:

    class Tagger(nn.Module):
        """Words, a layer of both directions, and a tag for each word."""

        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(10000, 128)
            self.states = nn.LSTM(128, 128, batch_first=True, bidirectional=True)
            self.tags = nn.Linear(256, 20)

        def forward(self, ids):
            return self.tags(self.states(self.words(ids))[0])

    network = prepared(Tagger())
    kept = {"words.weight": network.words.weight, "tags.weight": network.tags.weight.T, "tags.bias": network.tags.bias}
    for direction, suffix in {"forward": "", "reverse": "_reverse"}.items():
        for side, short in {"input_transform": "ih", "hidden_transform": "hh"}.items():
            weights = getattr(network.states, f"weight_{short}_l0{suffix}").chunk(4)
            biases = getattr(network.states, f"bias_{short}_l0{suffix}").chunk(4)
            for gate, weight, bias in zip(["input", "forget", "cell", "output"], weights, biases):
                path = f"states.{direction}.{gate}_gate.{side}"
                kept |= {f"{path}.weight": weight.T, f"{path}.bias": bias}
    save_file({key: value.detach().contiguous() for key, value in kept.items()}, arguments.out / "tagger.safetensors")
    ids = torch.randint(0, 10000, (2, 16))
    write_both("tagger", network, (ids,), {"ids": ["batch", "length"], "tags": ["batch", "length"]})
