"""A bundle in Triton's Python backend, where there is no backend for ONNX: as 1/model.py beside 1/model.onnx, with `backend: "python"` in
place of the line `platform` of config.pbtxt. The backend's program has its own search path: packages must be where it looks."""

import pathlib

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, arguments):
        self.session = onnxruntime.InferenceSession(pathlib.Path(__file__).with_name("model.onnx"))
        self.inputs = [given.name for given in self.session.get_inputs()]
        self.outputs = [made.name for made in self.session.get_outputs()]

    def execute(self, requests):
        def joined(name):
            return np.concatenate([triton.get_input_tensor_by_name(one, name).as_numpy() for one in requests])

        sizes = [len(triton.get_input_tensor_by_name(one, self.inputs[0]).as_numpy()) for one in requests]
        found = self.session.run(self.outputs, {name: joined(name) for name in self.inputs})
        parts = [np.split(values, np.cumsum(sizes)[:-1]) for values in found]
        return [
            triton.InferenceResponse([triton.Tensor(name, part[place]) for name, part in zip(self.outputs, parts)])
            for place in range(len(requests))
        ]
