#!/usr/bin/env bash
# ONNX's own reference evaluator (PyPI onnx 1.23.2) gives wrong places for MaxPool's second output, beside right values.
#
# Expected: `Indices` are places in the flattened input, without padding, as the operator's text says: the input at these places
# is the first output.
# Seen: at stride 1 most of them are not; for windows of 3x3 over an image of 4x4 one place is 21, of 16. At a larger stride they
# are right. ONNX Runtime 1.32.0 gives the places of the values at any stride. It is the same at opsets 8, 12 and 22.
#
# Why it matters: MaxUnpool and gathers that use the places write elsewhere, and a right runtime is judged wrong.
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

x = np.random.default_rng(0).permutation(16).astype(np.float32).reshape(1, 1, 4, 4)


def places(opset, kernel, stride):
    """The places that both give, after a look at the values."""
    size = (4 - kernel) // stride + 1
    shape = [1, 1, size, size]
    node = helper.make_node("MaxPool", ["x"], ["y", "places"], kernel_shape=[kernel] * 2, strides=[stride] * 2)
    graph = helper.make_graph(
        [node],
        "pool",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
        + [helper.make_tensor_value_info("places", TensorProto.INT64, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    runtime, reference = session.run(None, {"x": x}), ReferenceEvaluator(model).run(None, {"x": x})
    assert np.array_equal(runtime[0], reference[0]), "the values differ"
    assert np.array_equal(x.flatten()[runtime[1]], runtime[0]), "ONNX Runtime has changed"
    return runtime[1].flatten().tolist(), reference[1].flatten().tolist()


print(f"the image:\n{x[0, 0]}")
for opset in (8, 12, 22):
    for kernel, stride in [(2, 2), (3, 2), (2, 1), (3, 1)]:
        runtime, reference = places(opset, kernel, stride)
        print(f"opset {opset}, {kernel}x{kernel}, stride {stride}: ONNX Runtime {runtime}, reference evaluator {reference}")
        assert (runtime == reference) == (stride > 1), "the reference evaluator has changed"
assert max(reference) > 15, "the reference evaluator has changed"
PYTHON
