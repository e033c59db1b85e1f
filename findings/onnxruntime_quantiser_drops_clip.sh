#!/usr/bin/env bash
# ONNX Runtime's static quantiser (PyPI onnxruntime 1.32.0) drops a Clip, and with it a bound that quantisation does not keep.
#
# Expected: a Clip between 1 and 3 gives values from 1 to 3 before and after quantisation, give or take a step of the 8 bits. The
# quantiser may drop a Clip only where quantisation itself cuts off at the same places, as it does for one between 0 and 3.
# Seen: behind a convolution it drops either Clip, in both formats. A quantised range always holds zero, so that 0 to 3 stands in for
# 1 to 3: what was cut off at 1 comes out as anything down to 0. Where the file divides by it, 1 at most becomes infinity. The
# option QDQKeepRemovableActivations keeps the Clip in the format QDQ, and the result is right.
#
# Why it matters: lower bounds above zero stand in front of divisions and logarithms to keep them finite.
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
x = np.random.default_rng(0).normal(size=[16, 1, 3, 8, 8]).astype(np.float32)


class Inputs(CalibrationDataReader):
    def __init__(self):
        self.batches = iter(x)

    def get_next(self):
        batch = next(self.batches, None)
        return None if batch is None else {"x": batch}


def run(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"x": x[0]})


for lowest in (0, 1):
    constants = {"w": np.linspace(-1, 1, 12).reshape(4, 3, 1, 1), "lowest": lowest, "highest": 3}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["convolved"]),
        helper.make_node("Clip", ["convolved", "lowest", "highest"], ["y"]),
        helper.make_node("Reciprocal", ["y"], ["z"]),
    ]
    graph = helper.make_graph(
        nodes,
        "bounded",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 8, 8]) for name in "yz"],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "float.onnx")
    before = run("float.onnx")
    assert before[0].min() == lowest
    for quant_format, keep in [(QuantFormat.QDQ, False), (QuantFormat.QOperator, False), (QuantFormat.QDQ, True)]:
        options = {"QDQKeepRemovableActivations": keep}
        # With weights of 7 bits, processors without VNNI add the products exactly, too.
        reduced = {"reduce_range": True, "quant_format": quant_format, "extra_options": options}
        quantize_static("float.onnx", "quantised.onnx", Inputs(), **reduced)
        clips = sum(node.op_type == "Clip" for node in onnx.load("quantised.onnx").graph.node)
        after = run("quantised.onnx")
        error = np.abs(after[0] - before[0]).max()
        print(f"Clip from {lowest}, {quant_format.name}, {options}: {clips} Clip left, smallest value {after[0].min()}", end="")
        print(f", off by {error:.3f} at most" + (f", largest reciprocal {after[1].max()}" if lowest else ""))
        right = keep or lowest == 0
        assert clips == keep and (error < 0.2 if right else error > 0.9), "ONNX Runtime has changed"
        assert right or np.isinf(after[1].max()), "ONNX Runtime has changed"
PYTHON
