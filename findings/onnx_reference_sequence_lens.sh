#!/usr/bin/env bash
# ONNX's own reference evaluator (PyPI onnx 1.23.2) ignores `sequence_lens`, so that RNN, GRU and LSTM run over the padding.
#
# Expected: a sequence of length 2 in a batch of 4 steps gives what it gives alone: its last hidden state is that of step 2, and
# what stands in the padding does not count.
# Seen: the reference evaluator takes the input without a word and gives the state of step 4, which depends on the padding. ONNX
# Runtime 1.32.0 gives the state that the sequence has alone.
#
# Why it matters: batches of sentences of different lengths are what the input is for; each but the longest is computed wrong.
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

random = np.random.default_rng(0)
batch = random.normal(size=[4, 2, 3]).astype(np.float32)
batch[2:, 1] = 0  # the second sequence has two steps, and two of padding
other_padding = batch.copy()
other_padding[2:, 1] = 9
alone = batch[:2, 1:]


def last_states(operator, gates, x, lengths):
    """The last hidden states, by ONNX Runtime and by the reference evaluator."""
    steps, sequences, _ = x.shape
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "w", "r", "", "lengths"], ["", "state"], hidden_size=2)],
        "recurrent",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("state", TensorProto.FLOAT, [1, sequences, 2])],
        [
            numpy_helper.from_array(np.linspace(-1, 1, gates * 6, dtype=np.float32).reshape(1, gates * 2, 3), "w"),
            numpy_helper.from_array(np.linspace(1, -1, gates * 4, dtype=np.float32).reshape(1, gates * 2, 2), "r"),
            numpy_helper.from_array(np.array(lengths, np.int32), "lengths"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0][0], ReferenceEvaluator(model).run(None, {"x": x})[0][0]


for operator, gates in [("RNN", 1), ("GRU", 3), ("LSTM", 4)]:
    expected, also_expected = (states[0] for states in last_states(operator, gates, alone, [2]))
    assert np.allclose(expected, also_expected, atol=1e-5), "they differ without padding"
    print(f"{operator}, the sequence alone: {expected}")
    for name, x in [("zeros", batch), ("nines", other_padding)]:
        runtime, reference = last_states(operator, gates, x, [4, 2])
        print(f"{operator}, with {name} behind it: ONNX Runtime {runtime[1]}, reference evaluator {reference[1]}")
        assert np.allclose(runtime[0], reference[0], atol=1e-5), "they differ in the sequence without padding"
        assert np.allclose(runtime[1], expected, atol=1e-5), "ONNX Runtime has changed"
        assert np.abs(reference[1] - expected).max() > 0.05, "the reference evaluator has changed"
PYTHON
