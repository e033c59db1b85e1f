#!/usr/bin/env bash
# ONNX Runtime (PyPI onnxruntime 1.32.0) cannot load a layer normalisation whose input is cast from integers, unless told not to
# optimise.
#
# Expected: an optimisation leaves a graph that still loads. At opset 16 a layer normalisation is written out (ReduceMean, Sub, Pow,
# Sqrt, Div, Mul, Add), and the runtime puts it together again. A Cast from integers, truths or float64 to float32 before it
# is nothing special.
# Seen: the fusion takes the Cast in as well and gives the integers to LayerNormalization, which takes floats only: "Type
# 'tensor(int64)' of input parameter (x) ... is invalid". With float64 there is no kernel. At the basic level of optimisation the
# same file loads and gives what ONNX's reference evaluator (onnx 1.23.2) gives. A Cast from float16 works at both levels.
#
# Why it matters: the message blames the model ("This is an invalid model"), which names no LayerNormalization anywhere.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import parser
from onnx.reference import ReferenceEvaluator

GRAPH = """
<ir_version: 8, opset_import: ["" : 16]>
normalisation (TYPE[2, 4] x) => (float[2, 4] y)
<float two = {2}, float epsilon = {0.00001}, float[4] scale = {1, 1, 1, 1}, float[4] bias = {0, 0, 0, 0}>
{
    floats = Cast <to = 1> (x)
    mean = ReduceMean <axes = [-1]> (floats)
    centred = Sub (floats, mean)
    squares = Pow (centred, two)
    variance = ReduceMean <axes = [-1]> (squares)
    above_zero = Add (variance, epsilon)
    deviation = Sqrt (above_zero)
    normal = Div (centred, deviation)
    scaled = Mul (normal, scale)
    y = Add (scaled, bias)
}
"""
EXPECTED = {
    "int64": "Type 'tensor(int64)' of input parameter",
    "bool": "Type 'tensor(bool)' of input parameter",
    "double": "Failed to find kernel for LayerNormalization",
    "float16": None,
}
levels = onnxruntime.GraphOptimizationLevel
for kind, expected in EXPECTED.items():
    model = parser.parse_model(GRAPH.replace("TYPE", kind))
    onnx.checker.check_model(model, full_check=True)
    x = np.array([[0, 1, 0, 0], [1, 1, 0, 1]]).astype({"double": np.float64}.get(kind, kind))
    reference = ReferenceEvaluator(model).run(None, {"x": x})[0]
    for level in (levels.ORT_ENABLE_BASIC, levels.ORT_ENABLE_ALL):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.log_severity_level = 4
        error = None
        try:
            session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as failure:
            error = str(failure)
        if error is None:
            assert np.allclose(session.run(None, {"x": x})[0], reference, atol=1e-4), "ONNX Runtime has changed"
        print(f"cast from {kind}, {level.name}: {'as the reference' if error is None else error.splitlines()[0]}")
        wanted = expected if level == levels.ORT_ENABLE_ALL else None
        assert error is None if wanted is None else error is not None and wanted in error, "ONNX Runtime has changed"
PYTHON
