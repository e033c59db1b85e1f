"""Python's side of `cargo xtask bench int8`: onnxruntime.quantization, one recipe a process.

    python int8.py digits FOLDER OUT           samples out of MNIST's training images
    python int8.py quantize MODEL OUT RECIPE 7|8 SAMPLE...

The last line is JSON: the seconds of the recipe without the time of starting Python, and the most memory of the process in bytes.
"""

import contextlib
import json
import logging
import os
import pathlib
import resource
import sys
import time

import numpy as np


def digits(folder, out):
    """One sample a file: the digits at every hundredth place, normalised as the network was trained."""
    pixels = np.frombuffer((pathlib.Path(folder) / "train-images-idx3-ubyte").read_bytes(), np.uint8, offset=16)
    images = ((pixels.reshape(-1, 1, 28, 28)[::100].astype(np.float32) / 255 - 0.1307) / 0.3081).astype(np.float32)
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        np.save(pathlib.Path(out) / f"{index:04d}.npy", image[None])


def quantize(model, out, recipe, bits, samples):
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_dynamic, quantize_static
    from safetensors.numpy import load_file

    logging.disable(logging.WARNING)
    start = time.perf_counter()
    reduced = bits == "7"
    if recipe == "dynamic":
        quantize_dynamic(model, out, per_channel=True, weight_type=QuantType.QInt8, reduce_range=reduced)
        return time.perf_counter() - start
    quant_format, method = recipe.split("-")
    float_model = onnx.load(model)
    name = float_model.graph.input[0].name
    if quant_format == "qdq" and float_model.opset_import[0].version < 13:
        float_model = onnx.version_converter.convert_version(float_model, 13)
        model = out + ".opset13"
        onnx.save(float_model, model)
    del float_model

    class Samples(CalibrationDataReader):
        def __init__(self):
            self.paths = iter(samples)

        def get_next(self):
            path = next(self.paths, None)
            if path is None:
                return None
            return {name: np.load(path)} if path.endswith(".npy") else load_file(path)

    with contextlib.redirect_stdout(open(os.devnull, "w")):
        quantize_static(
            model,
            out,
            Samples(),
            quant_format={"qdq": QuantFormat.QDQ, "qoperator": QuantFormat.QOperator}[quant_format],
            per_channel=True,
            reduce_range=reduced,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method={"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}[method],
        )
    return time.perf_counter() - start


match sys.argv[1:]:
    case ["digits", folder, out]:
        digits(folder, out)
    case ["quantize", model, out, recipe, bits, *samples]:
        seconds = quantize(model, out, recipe, bits, samples)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": seconds, "memory": memory}))
    case _:
        sys.exit(__doc__)
