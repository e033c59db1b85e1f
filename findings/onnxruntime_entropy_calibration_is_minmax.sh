#!/usr/bin/env bash
# ONNX Runtime's static quantiser (PyPI onnxruntime 1.32.0): the calibration method Entropy gives the ranges of MinMax.
#
# Expected: Entropy chooses, by Kullback-Leibler divergence, how much of the tails to cut off. One outlier of 1000 among
# 30 thousand values of a normal distribution should not stretch the range.
# Seen: `quantize_static` writes the same scales and zero points for Entropy as for MinMax. The histogram has 128 bins and is
# compared with distributions of 128 bins, so that the full range is the only candidate; neither number can be set through
# `quantize_static`. With a calibrator of one's own and 2,048 bins the method cuts the outlier off at an eighth.
#
# Why it matters: whoever tries Entropy, sees the same accuracy and concludes that clipping does not help has tried nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import contextlib
import logging
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, quantize_static
from onnxruntime.quantization.calibrate import create_calibrator

logging.disable(logging.WARNING)
graph = helper.make_graph(
    [helper.make_node("MatMul", ["x", "w"], ["y"])],
    "product",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 64])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, 4])],
    [numpy_helper.from_array(np.linspace(-1, 1, 256, dtype=np.float32).reshape(64, 4), "w")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
onnx.save(model, "float.onnx")


class Inputs(CalibrationDataReader):
    """Eight batches of a normal distribution, with one outlier in the last."""

    def __init__(self):
        x = np.random.default_rng(0).normal(size=[8, 64, 64]).astype(np.float32)
        x[-1, 0, 0] = 1000
        self.batches = iter(x)

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"x": batch}


def written(method):
    """The scales and zero points of the quantised file."""
    with contextlib.redirect_stdout(open(os.devnull, "w")):
        quantize_static("float.onnx", "quantised.onnx", Inputs(), calibrate_method=method)
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load("quantised.onnx").graph.initializer}
    return {name: array.tolist() for name, array in found.items() if name.endswith(("_scale", "_zero_point"))}


def calibrated(bins):
    """The range of the input by a calibrator of one's own."""
    options = {"num_bins": bins, "num_quantized_bins": 128}
    with contextlib.redirect_stdout(open(os.devnull, "w")):
        calibrator = create_calibrator("float.onnx", calibrate_method=CalibrationMethod.Entropy, extra_options=options)
        calibrator.collect_data(Inputs())
        return [float(bound) for bound in calibrator.compute_data()["x"].range_value]


methods = {method.name: written(method) for method in (CalibrationMethod.MinMax, CalibrationMethod.Entropy)}
for name, values in methods.items():
    print(f"{name}: {values}")
wide, narrow = calibrated(128), calibrated(2048)
print(f"Entropy's range of the input with 128 bins: {wide}, with 2,048: {narrow}")
assert methods["MinMax"] == methods["Entropy"], "ONNX Runtime has changed"
assert wide[1] == 1000 and narrow[1] < 200, "ONNX Runtime has changed"
PYTHON
