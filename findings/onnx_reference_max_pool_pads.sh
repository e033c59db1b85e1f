#!/usr/bin/env bash
# ONNX's own reference evaluator (PyPI onnx 1.23.2) pads the wrong sides in a MaxPool of stride 1.
#
# Expected: `pads` has all beginnings and then all ends: [1, 0, 1, 0] is one row above and one below. Over an image of 4x6,
# windows of 2x2 at stride 1 give 5x5 values, as ONNX's shape inference says.
# Seen: the reference evaluator gives 4x6, against the shape that the model declares, without an error. With [0, 0, 1, 1] it
# gives 3x7 in place of 4x6. It is right at stride 2, with the same padding on all sides, and for AveragePool. ONNX Runtime
# 1.32.0 is right in all of these.
#
# Why it matters: windows of an even size that keep the size of an image need such pads.
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

x = np.random.default_rng(0).permutation(24).astype(np.float32).reshape(1, 1, 4, 6)
cases = []
for operator in ("MaxPool", "AveragePool"):
    for pads in ([0, 0, 0, 0], [1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1]):
        for stride in (1, 2):
            sides = [pads[0] + pads[2], pads[1] + pads[3]]
            shape = [1, 1] + [(size + side - 2) // stride + 1 for size, side in zip((4, 6), sides)]
            node = helper.make_node(operator, ["x"], ["y"], kernel_shape=[2, 2], pads=pads, strides=[stride, stride])
            graph = helper.make_graph(
                [node],
                "pool",
                [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
                [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
            )
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
            onnx.checker.check_model(model, full_check=True)
            session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
            runtime, reference = session.run(None, {"x": x})[0], ReferenceEvaluator(model).run(None, {"x": x})[0]
            same = runtime.shape == reference.shape and np.allclose(runtime, reference)
            told = f"ONNX Runtime {list(runtime.shape[2:])}, reference evaluator {list(reference.shape[2:])}"
            print(f"{operator}, pads {pads}, stride {stride}: {told}, {'the same values' if same else 'other values'}")
            assert list(runtime.shape) == shape, "ONNX Runtime has changed"
            uneven = pads in ([1, 0, 1, 0], [0, 0, 1, 1])
            assert same != (operator == "MaxPool" and uneven and stride == 1), "the reference evaluator has changed"
PYTHON
