#!/usr/bin/env bash
# ONNX Runtime's static quantiser (PyPI onnxruntime 1.32.0) writes a file that ONNX Runtime refuses, without an error.
#
# Expected: its documentation asks for opset 10 or higher. A file of opset 11, quantised per channel, loads like any other, or the
# quantiser says that it cannot do it.
# Seen: in the format QDQ it gives DequantizeLinear the attribute `axis`, which the operator has from opset 13 on, and leaves the
# file at opset 11. `quantize_static` returns as if all were well; ONNX's checker (onnx 1.23.2) and ONNX Runtime refuse the
# result. Per tensor, in the format QOperator, or at opset 13 the same call gives a file that loads.
#
# Why it matters: QDQ is the default format, opset 11 is common, and the failure shows only where the file is to be used.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
venv/bin/python - <<'PYTHON'
import logging

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

logging.disable(logging.WARNING)
x = np.random.default_rng(0).normal(size=[4, 1, 3, 8, 8]).astype(np.float32)


class Inputs(CalibrationDataReader):
    def __init__(self):
        self.batches = iter(x)

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"x": batch}


def verdict(opset, quant_format, per_channel):
    weights = np.linspace(-1, 1, 108, dtype=np.float32).reshape(4, 3, 3, 3)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 6, 6])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "float.onnx")
    quantize_static("float.onnx", "quantised.onnx", Inputs(), quant_format=quant_format, per_channel=per_channel)
    try:
        onnxruntime.InferenceSession("quantised.onnx", providers=["CPUExecutionProvider"]).run(None, {"x": x[0]})
    except Exception as error:
        try:
            onnx.checker.check_model("quantised.onnx")
        except onnx.checker.ValidationError:
            return str(error)
        raise
    onnx.checker.check_model("quantised.onnx", full_check=True)
    return None


for opset in (11, 13):
    for quant_format in (QuantFormat.QDQ, QuantFormat.QOperator):
        for per_channel in (False, True):
            error = verdict(opset, quant_format, per_channel)
            kind = "per channel" if per_channel else "per tensor"
            print(f"opset {opset}, {quant_format.name}, {kind}: {'runs' if error is None else 'fails to load: ' + error}")
            fails = (opset, quant_format, per_channel) == (11, QuantFormat.QDQ, True)
            assert (error is not None) == fails, "ONNX Runtime has changed"
            assert error is None or "Unrecognized attribute: axis" in error, "ONNX Runtime has changed"
PYTHON
