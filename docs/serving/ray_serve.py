"""A bundle under Ray Serve: serve run ray_serve:bundle, with the folder in the variable BUNDLE. It takes the bundle's example request."""

import os
import pathlib

import numpy as np
import onnxruntime
from ray import serve
from starlette.requests import Request

TYPES = {"FP32": np.float32, "INT64": np.int64, "INT32": np.int32}


@serve.deployment(num_replicas=2, ray_actor_options={"num_cpus": 1})
class Bundle:
    def __init__(self, folder):
        [repository] = (pathlib.Path(folder) / "model_repository").iterdir()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(repository / "1" / "model.onnx", options)

    async def __call__(self, request: Request):
        asked = await request.json()
        inputs = {
            given["name"]: np.array(given["data"], TYPES[given["datatype"]]).reshape(given["shape"])
            for given in asked["inputs"]
        }
        names = [made.name for made in self.session.get_outputs()]
        found = zip(names, self.session.run(names, inputs))
        return {"outputs": [{"name": name, "shape": values.shape, "data": values.ravel().tolist()} for name, values in found]}


bundle = Bundle.bind(os.environ["BUNDLE"])
