#!/usr/bin/env bash
# ONNX's own reference evaluator (PyPI onnx 1.23.2) computes Softmax of opset 11 as that of opset 13.
#
# Expected: until opset 12 the operator flattens its input to two dimensions at `axis` and normalises each row of that, as the
# operator's text for opset 11 says. For an input [2, 3, 4] and axis 1 the values of each [3, 4] sum to 1.
# Seen: the reference evaluator normalises along axis 1 alone, so that each [3, 4] sums to 4. ONNX Runtime 1.32.0 gives 1.
#
# Why it matters: whoever takes the reference evaluator for the meaning of a file of opset 11 or 12 judges a right runtime wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

shape = [2, 3, 4]
graph = helper.make_graph(
    [helper.make_node("Softmax", ["x"], ["y"], axis=1)],
    "softmax",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
onnx.checker.check_model(model, full_check=True)
x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
sums = {
    "onnx reference evaluator": ReferenceEvaluator(model).run(None, {"x": x})[0].sum(axis=(1, 2)),
    "ONNX Runtime": session.run(None, {"x": x})[0].sum(axis=(1, 2)),
}
for name, values in sums.items():
    print(f"{name}: each [3, 4] sums to {values}")
assert np.allclose(sums["ONNX Runtime"], 1, atol=1e-5), "ONNX Runtime has changed"
assert np.allclose(sums["onnx reference evaluator"], 4, atol=1e-5), "the reference evaluator has changed"
PYTHON
