"""Runs an ONNX file in one program, for the benchmark `consumers`.

    python consume.py PROGRAM model.onnx cases.json OUT

The cases name the files of their inputs; the answers go to OUT/outputs.json, or the file that the program makes of the model
to OUT/rewritten.onnx.
"""

import json
import pathlib
import sys
import traceback

import numpy as np


def onnx(path):
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(path)
    return lambda inputs, outputs: evaluator.run(outputs, inputs)


def opencv(path):
    import cv2

    network = cv2.dnn.readNetFromONNX(path)

    def run(inputs, outputs):
        for name, value in inputs.items():
            network.setInput(value, name)
        return network.forward(outputs)

    return run


def openvino(path):
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(inputs, outputs):
        found = compiled(inputs)
        return [found[name] for name in outputs]

    return run


def tinygrad(path):
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    def run(inputs, outputs):
        found = OnnxRunner(path)({name: Tensor(value) for name, value in inputs.items()})
        return [found[name].numpy() for name in outputs]

    return run


def mnn(path):
    import subprocess

    import MNN.expr
    import MNN.nn

    out = str(pathlib.Path(path).with_suffix(".mnn"))
    convert = [str(pathlib.Path(sys.executable).parent / "mnnconvert"), "-f", "ONNX", "--modelFile", path, "--MNNModel", out]
    convert += ["--useGeluApproximation", "0", "--bizCode", "none"]
    done = subprocess.run(convert, capture_output=True, text=True)
    if not pathlib.Path(out).is_file():
        raise SystemExit(f"its converter says: {(done.stdout + done.stderr).strip().splitlines()[-1]}")

    def variable(value):
        # It has no int64.
        value = value.astype(np.int32) if value.dtype == np.int64 else value
        kind = MNN.expr.int if value.dtype == np.int32 else MNN.expr.float
        return MNN.expr.const(value, list(value.shape), MNN.expr.NCHW, kind)

    def run(inputs, outputs):
        module = MNN.nn.load_module_from_file(out, list(inputs), outputs)
        found = module.onForward([variable(value) for value in inputs.values()])
        return [np.array(MNN.expr.convert(value, MNN.expr.NCHW).read()) for value in found]

    return run


def tvm(path):
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    model = onnx.load(path)

    def run(inputs, outputs):
        shapes = {name: list(value.shape) for name, value in inputs.items()}
        module = from_onnx(model, shape_dict=shapes, keep_params_in_input=False)
        built = relax.build(relax.transform.DecomposeOpsForInference()(module), target="llvm")
        machine = relax.VirtualMachine(built, tvm.cpu())
        found = machine["main"](*[tvm.runtime.tensor(value) for value in inputs.values()])
        return [value.numpy() for value in ([found] if len(outputs) == 1 else found)]

    return run


def iree(path):
    import subprocess

    import iree.runtime

    folder = pathlib.Path(path).parent
    programs = pathlib.Path(sys.executable).parent
    text, built = str(folder / "model.mlir"), str(folder / "model.vmfb")
    for command in [
        [programs / "iree-import-onnx", path, "-o", text, "--opset-version", "17"],
        [programs / "iree-compile", text, "-o", built, "--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu"],
    ]:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if "error" in line.lower()] or done.stderr.splitlines() or [""]
            raise SystemExit(said[0])
    module = iree.runtime.load_vm_flatbuffer_file(built, driver="local-task")
    main = [name for name in module.vm_module.function_names if "$" not in name and not name.startswith("__")][0]

    def run(inputs, outputs):
        found = module[main](*inputs.values())
        return [value.to_host() for value in (found if isinstance(found, (list, tuple)) else [found])]

    return run


def jaxonnxruntime(path):
    import onnx
    from jaxonnxruntime import config, call_onnx

    config.update("jaxort_only_allow_initializers_as_static_args", False)
    model = onnx.load(path)

    def run(inputs, outputs):
        function, weights = call_onnx.call_onnx_model(model, inputs)
        return [np.asarray(value) for value in function(weights, inputs)]

    return run


def onnx2torch(path):
    import onnx2torch
    import torch

    module = onnx2torch.convert(path).eval()

    def run(inputs, outputs):
        with torch.no_grad():
            found = module(*[torch.from_numpy(value) for value in inputs.values()])
        return [value.numpy() for value in ([found] if isinstance(found, torch.Tensor) else found)]

    return run


def onnx2tf(path):
    import onnx2tf
    import tensorflow as tf

    folder = str(pathlib.Path(path).parent / "saved")

    def run(inputs, outputs):
        sizes = [f"{name}:{','.join(map(str, value.shape))}" for name, value in inputs.items()]
        onnx2tf.convert(
            input_onnx_file_path=path,
            output_folder_path=folder,
            overwrite_input_shape=sizes,
            keep_shape_absolutely_input_names=list(inputs),
            non_verbose=True,
        )
        serve = tf.saved_model.load(folder).signatures["serving_default"]
        found = serve(**{name: tf.constant(value) for name, value in inputs.items()})
        return [found[name].numpy() for name in outputs]

    return run


def version_converter(path, out):
    import onnx
    from onnx import version_converter

    onnx.save(version_converter.convert_version(onnx.load(path), 21), out)


def onnxsim(path, out):
    import onnx
    import onnxsim

    model, right = onnxsim.simplify(onnx.load(path))
    if not right:
        raise SystemExit("it says that its own result is not right")
    onnx.save(model, out)


def onnxslim(path, out):
    import onnx
    import onnxslim

    onnx.save(onnxslim.slim(onnx.load(path)), out)


REWRITERS = {"version-converter": version_converter, "onnxsim": onnxsim, "onnxslim": onnxslim}


def main():
    program, path, cases, out = sys.argv[1:]
    out = pathlib.Path(out)
    if program in REWRITERS:
        REWRITERS[program](path, str(out / "rewritten.onnx"))
        return
    run = globals()[program](path)
    folder = pathlib.Path(cases).parent
    answers = []
    for number, case in enumerate(json.loads(pathlib.Path(cases).read_text())):
        answer = {"case": case["case"], "outputs": []}
        try:
            inputs = {
                entry["name"]: np.fromfile(folder / entry["file"], entry["dtype"]).reshape(entry["shape"])
                for entry in case["inputs"]
            }
            for name, value in zip(case["outputs"], run(inputs, case["outputs"]), strict=True):
                value = np.ascontiguousarray(value)
                file = f"answer-{number}-{name}.bin"
                value.tofile(out / file)
                entry = {"name": name, "dtype": str(value.dtype), "shape": list(value.shape), "file": file}
                answer["outputs"].append(entry)
        except Exception as error:
            traceback.print_exc()
            answer = {"case": case["case"], "error": f"{type(error).__name__}: {error}"}
        answers.append(answer)
    (out / "outputs.json").write_text(json.dumps(answers))


main()
