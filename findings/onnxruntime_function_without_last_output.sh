#!/usr/bin/env bash
# ONNX Runtime (PyPI onnxruntime 1.32.0) refuses a call of a model-local function that leaves out the function's last output.
#
# Expected: outputs of a node may be left out at the end, of functions as of operators; ONNX's checker (onnx 1.23.2) passes the
# model, and its reference evaluator runs it.
# Seen: ONNX Runtime fails to load it: "output index 1 is out of range; node has 1 outputs", and so does ONNX's own shape inference.
# With all outputs named it loads.
#
# Why it matters: exporters that write functions (PyTorch's among them) leave out what nothing reads.
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

opset = helper.make_opsetid("", 17)
both = helper.make_function(
    "local",
    "Both",
    ["a"],
    ["magnitude", "negative"],
    [helper.make_node("Abs", ["a"], ["magnitude"]), helper.make_node("Neg", ["a"], ["negative"])],
    [opset],
)
x = np.array([-1, 2], np.float32)
failures = {}
for outputs in (["y"], ["y", "z"]):
    graph = helper.make_graph(
        [helper.make_node("Both", ["x"], outputs, domain="local")],
        "call",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    imports = [opset, helper.make_opsetid("local", 1)]
    model = helper.make_model(graph, functions=[both], opset_imports=imports, ir_version=8)
    onnx.checker.check_model(model)
    assert ReferenceEvaluator(model).run(None, {"x": x})[0].tolist() == [1, 2]
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        told = f"gives {session.run(None, {'x': x})[0].tolist()}"
        failures[len(outputs)] = False
    except Exception as error:
        told = f"fails: {error}"
        failures[len(outputs)] = True
    print(f"called for {len(outputs)} of 2 outputs, ONNX Runtime {told}")
assert failures == {1: True, 2: False}, "ONNX Runtime has changed"
PYTHON
