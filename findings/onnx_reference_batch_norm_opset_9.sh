#!/usr/bin/env bash
# ONNX's own reference evaluator (PyPI onnx 1.23.2) normalises with the batch's statistics in inference, at opsets 9 to 13.
#
# Expected: with one output, BatchNormalization of these opsets is in test mode and uses the mean and variance that it is given.
# `momentum` is for the running statistics of training only. What an image gives does not depend on its neighbours.
# Seen: the reference evaluator mixes 0.1 of the batch's own mean and variance into the given ones (the default of `momentum` is
# 0.9), so that the result is off and an image gives another result in another batch. ONNX Runtime 1.32.0 uses the given
# ones. From opset 14 on both agree.
#
# Why it matters: many convolutional networks in files of opset 9 to 13 have this operator; the error looks like bad rounding.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

given = {"scale": [1], "bias": [0], "mean": [0], "variance": [1]}
worst = {}
for opset in (9, 13, 14, 17):
    graph = helper.make_graph(
        [helper.make_node("BatchNormalization", ["x", *given], ["y"])],
        "normalisation",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1, 2])],
        [numpy_helper.from_array(np.array(value, np.float32), name) for name, value in given.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    alone = np.array([[[1, 3]]], np.float32)
    beside = np.array([[[1, 3]], [[10, 30]]], np.float32)
    for name, x in [("alone", alone), ("beside [10, 30]", beside)]:
        runtime, reference = session.run(None, {"x": x})[0], ReferenceEvaluator(model).run(None, {"x": x})[0]
        print(f"opset {opset}, [1, 3] {name}: ONNX Runtime {runtime[0, 0]}, reference evaluator {reference[0, 0]}")
        assert np.allclose(runtime, x, rtol=1e-4), "ONNX Runtime has changed"
        worst[opset] = np.abs(reference - x).max()
assert worst[9] > 1 and worst[13] > 1, "the reference evaluator has changed"
assert worst[14] < 1e-3 and worst[17] < 1e-3, "the reference evaluator has changed"
PYTHON
