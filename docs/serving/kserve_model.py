"""A bundle behind KServe's model server: python3 kserve_model.py BUNDLE [OPTIONS OF KSERVE]"""

import pathlib
import sys

import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer

[repository] = (pathlib.Path(sys.argv.pop(1)) / "model_repository").iterdir()


class Bundle(Model):
    def load(self):
        self.session = onnxruntime.InferenceSession(repository / "1" / "model.onnx")
        self.ready = True

    def predict(self, request, headers=None):
        inputs = {given.name: given.as_numpy() for given in request.inputs}
        names = [made.name for made in self.session.get_outputs()]
        outputs = []
        for name, values in zip(names, self.session.run(names, inputs)):
            output = InferOutput(name, list(values.shape), "FP32")
            output.set_data_from_numpy(values, binary_data=False)
            outputs.append(output)
        return InferResponse(request.id, self.name, outputs)


model = Bundle(repository.name)
model.load()
ModelServer().start([model])
