#!/usr/bin/env bash
# ONNX's version converter (PyPI onnx 1.23.2) changes what Hardmax computes when it takes a file from opset 11 to 13.
#
# Expected: the file computes the same at the new opset. At opset 13 Softmax, LogSoftmax and Hardmax changed alike: before, they
# flattened the input to two dimensions at `axis`; since then they run along `axis` alone. For Softmax and LogSoftmax the
# converter writes Flatten and Reshape around the operator.
# Seen: Hardmax keeps its `axis` and gets nothing around it. For an input [2, 3, 4] and axis 1, one element of each [3, 4] is 1
# before the conversion, and four are after it, in ONNX Runtime 1.32.0. There is no error, and the checker passes both files.
#
# Why it matters: conversion to a newer opset is the usual first step before a file is quantised or optimised.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, version_converter

shape = [2, 3, 4]
x = np.random.default_rng(0).normal(size=shape).astype(np.float32)


def result(model):
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


for operator in ("Softmax", "LogSoftmax", "Hardmax"):
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], axis=1)],
        "maximum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    old = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    new = version_converter.convert_version(old, 13)
    before, after = result(old), result(new)
    same = np.allclose(before, after, atol=1e-6)
    nodes = [node.op_type for node in new.graph.node]
    print(f"{operator}: {'the same' if same else 'another result'} at opset 13, by {nodes}")
    assert same == (operator != "Hardmax"), "the version converter has changed"
ones = before.sum(axis=(1, 2)).tolist(), after.sum(axis=(1, 2)).tolist()
print(f"Hardmax: ones in each [3, 4] before {ones[0]}, after {ones[1]}")
assert ones == ([1, 1], [4, 4]), "the version converter or ONNX Runtime has changed"
PYTHON
