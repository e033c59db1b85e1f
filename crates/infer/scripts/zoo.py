"""Writes ONNX files from elsewhere into a folder, for `cargo xtask eval --onnx`: torchvision's networks with random weights, by
PyTorch's own exporter, and one of them in 8 and in 16 bits by ONNX Runtime's tools.

    python crates/infer/scripts/zoo.py FOLDER

Needs torch, torchvision, onnx and onnxruntime. What the files showed is in docs/validation.md.
"""

import sys
from pathlib import Path

import numpy
import onnx
import torch
from onnxruntime.quantization import CalibrationDataReader, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16
from torch import nn
from torchvision import models

FOLDER = Path(sys.argv[1])
SIZE = 96


class Recurrent(nn.Module):
    """Two layers of LSTM in both directions."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(16, 32, 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, 5)

    def forward(self, x):
        return self.head(self.lstm(x)[0]).log_softmax(-1)


class Decoder(nn.Module):
    """A transposed convolution, a group normalisation, and an output of indices beside one of numbers."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 8, 4, 2, 1)
        self.norm = nn.GroupNorm(4, 8)
        self.out = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x):
        x = self.up(x)
        return self.out(nn.functional.gelu(self.norm(x))), x.argmax(1)


class Segmentation(nn.Module):
    """torchvision's LR-ASPP, which enlarges its result."""

    def __init__(self):
        super().__init__()
        self.network = models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None)

    def forward(self, x):
        return self.network(x)["out"]


def vision_transformer():
    """With a head that is not zero, as torchvision's is at first."""
    network = models.VisionTransformer(SIZE, 16, 2, 3, 96, 192)
    nn.init.normal_(network.heads.head.weight)
    return network


class Pictures(CalibrationDataReader):
    """Random pictures by which the ranges of 8 bits are chosen."""

    def __init__(self):
        generator = numpy.random.default_rng(0)
        shape = (1, 3, SIZE, SIZE)
        self.pictures = iter([{"x": generator.standard_normal(shape, numpy.float32)} for _ in range(4)])

    def get_next(self):
        return next(self.pictures, None)


def write(name, network, opset, shape=(1, 3, SIZE, SIZE)):
    """One network at one opset, with a dynamic batch."""
    torch.onnx.export(
        network.eval(),
        torch.randn(shape),
        FOLDER / f"{name}.onnx",
        opset_version=opset,
        input_names=["x"],
        dynamic_axes={"x": {0: "batch"}},
        dynamo=False,
    )


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    write("resnet18", models.resnet18(), 11)
    write("shufflenet", models.shufflenet_v2_x0_5(), 11)
    write("mobilenet_v3", models.mobilenet_v3_small(), 13)
    write("efficientnet", models.efficientnet_b0(), 17)
    write("convnext", models.convnext_tiny(), 17)
    write("vision_transformer", vision_transformer(), 17)
    write("segmentation", Segmentation(), 17)
    write("recurrent", Recurrent(), 17, (1, 10, 16))
    write("decoder", Decoder(), 17, (1, 3, 16, 16))
    resnet = FOLDER / "resnet18.onnx"
    quantize_static(resnet, FOLDER / "resnet18_int8.onnx", Pictures())
    half = convert_float_to_float16(onnx.load(resnet), keep_io_types=True)
    onnx.save(half, FOLDER / "resnet18_float16.onnx")


main()
