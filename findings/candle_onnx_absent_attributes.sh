#!/usr/bin/env bash
# candle-onnx (crate candle-onnx 0.11.1) fills in absent attributes otherwise than ONNX, and passes over two that are there.
#
# Expected: what it does not support it refuses, as it does for pads and dilations of pools and for many operators.
# Seen: it computes something else, without a word. Pools without `strides` step by the size of their window (ONNX: by 1). Transpose
# without `perm` swaps the last two axes (ONNX: reverses all). Squeeze without axes leaves the first axis (ONNX: removes all of size
# 1). MaxPool does not look at `ceil_mode`, and Clip of opset 6, whose bounds are attributes, clips nothing. ONNX Runtime 1.32.0
# gives what the operators' texts say.
#
# Why it matters: exporters leave out what is the default, and where the shapes happen to fit only the values are wrong.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2 onnxruntime==1.32.0 grpcio-tools==1.85.1
cd "$folder"
# The crate's build runs protoc, which the Python package has inside.
printf '#!/bin/sh\nexec "%s" -m grpc_tools.protoc "$@"\n' "$folder/venv/bin/python" > protoc
chmod +x protoc
mkdir src
cat > Cargo.toml <<'TOML'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"

[dependencies]
candle-core = { version = "=0.11.1", default-features = false }
candle-onnx = { version = "=0.11.1", default-features = false }

[profile.dev]
debug = false
TOML
cat > src/main.rs <<'RUST'
use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};

/// Takes a model's path and the shape of its input, which counts up from zero.
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let shape: Vec<usize> = arguments[1..].iter().map(|size| size.parse().unwrap()).collect();
    let x = Tensor::arange(0f32, shape.iter().product::<usize>() as f32, &Device::Cpu)?.reshape(shape)?;
    let model = candle_onnx::read_file(&arguments[0])?;
    let outputs = candle_onnx::simple_eval(&model, HashMap::from([("x".to_owned(), x)]))?;
    println!("[{:?}, {:?}]", outputs["y"].dims(), outputs["y"].flatten_all()?.to_vec1::<f32>()?);
    Ok(())
}
RUST
PROTOC=$folder/protoc nice -n 10 cargo build --quiet
cat > finding.py <<'PYTHON'
import json
import subprocess

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

POOL = {"kernel_shape": [2, 2]}
CASES = [
    (17, "MaxPool", {**POOL, "strides": [1, 1]}, [1, 1, 4, 4], [1, 1, 3, 3], True),
    (17, "MaxPool", POOL, [1, 1, 4, 4], [1, 1, 3, 3], False),
    (17, "AveragePool", POOL, [1, 1, 4, 4], [1, 1, 3, 3], False),
    (17, "MaxPool", {**POOL, "strides": [2, 2], "ceil_mode": 1}, [1, 1, 5, 5], [1, 1, 3, 3], False),
    (17, "Transpose", {"perm": [2, 1, 0]}, [2, 2, 2], [2, 2, 2], True),
    (17, "Transpose", {}, [2, 2, 2], [2, 2, 2], False),
    (17, "Squeeze", {}, [1, 3, 1], [3], False),
    (9, "Clip", {"min": 1.0, "max": 2.0}, [4], [4], False),
]
for opset, operator, attributes, shape, result, right in CASES:
    graph = helper.make_graph(
        [helper.make_node(operator, ["x"], ["y"], **attributes)],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, "model.onnx")
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    runtime = session.run(None, {"x": np.arange(np.prod(shape), dtype=np.float32).reshape(shape)})[0]
    command = ["target/debug/finding", "model.onnx", *map(str, shape)]
    found, values = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    same = found == list(runtime.shape) and np.allclose(values, runtime.flatten())
    print(f"{operator} {attributes}: ONNX Runtime {list(runtime.shape)} {runtime.flatten()[:5]}, candle-onnx {found} {values[:5]}")
    assert list(runtime.shape) == result, "ONNX Runtime has changed"
    assert same == right, "candle-onnx has changed"
PYTHON
venv/bin/python finding.py
