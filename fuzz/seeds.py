"""Writes the seeds of the fuzz targets that no fixture of a test serves: `fuzz/seeds/TARGET/`.

Run with Python 3.11, onnx 1.23 and numpy, from the workspace's root: `python fuzz/seeds.py`. The fuzzer also starts from the fixtures
that `xtask/src/fuzz.rs` names. The same script writes the same bytes.
"""

import gzip
import io
import json
import pathlib
import struct
import tarfile
import zipfile

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).parent / "seeds"
BETWEEN = b"\n=====\n"
HASH = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"


def put(target, name, data):
    folder = HERE / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())


def parts(*files):
    return BETWEEN.join(file if isinstance(file, bytes) else file.encode() for file in files)


def models():
    value = helper.make_tensor_value_info
    weights = numpy_helper.from_array(numpy.arange(6, dtype=numpy.float32).reshape(2, 3), "w")
    x, y = value("x", TensorProto.FLOAT, ["batch", 2]), value("y", TensorProto.FLOAT, ["batch", 3])

    def save(name, graph, functions=(), opset=17):
        imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
        model = helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=9)
        model.metadata_props.add(key="labels", value="a,b")
        put("onnx", f"{name}.onnx", model.SerializeToString(deterministic=True))

    save("linear", helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "net", [x], [y], [weights]))

    outside = onnx.TensorProto()
    outside.CopyFrom(weights)
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    for key, text in {"location": "data.bin", "offset": "0", "length": "24"}.items():
        outside.external_data.add(key=key, value=text)
    save("external", helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "net", [x], [y], [outside]))

    branch = [helper.make_graph([helper.make_node(op, ["x"], ["b"])], op, [], [value("b", TensorProto.FLOAT, None)]) for op in ("Relu", "Abs")]
    save(
        "branches",
        helper.make_graph(
            [helper.make_node("If", ["c"], ["y"], then_branch=branch[0], else_branch=branch[1])],
            "net",
            [x, value("c", TensorProto.BOOL, [])],
            [value("y", TensorProto.FLOAT, None)],
        ),
    )

    body = helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)])
    save("function", helper.make_graph([helper.make_node("Twice", ["x"], ["y"], domain="own")], "net", [x], [value("y", TensorProto.FLOAT, ["batch", 2])]), [body])

    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Slice", ["s", "zero", "one"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["to"], axis=0),
        helper.make_node("Reshape", ["x", "to"], ["y"]),
    ]
    constants = [numpy_helper.from_array(numpy.array(numbers, dtype=numpy.int64), name) for name, numbers in {"zero": [0], "one": [1], "rest": [-1, 1]}.items()]
    save("reshape", helper.make_graph(nodes, "net", [x], [value("y", TensorProto.FLOAT, ["batch", 2, 1])], constants))

    image = value("x", TensorProto.FLOAT, ["batch", 1, 8, 8])
    kernel = numpy_helper.from_array(numpy.ones((2, 1, 3, 3), numpy.float16).astype(numpy.float32), "k")
    save(
        "convolution",
        helper.make_graph(
            [
                helper.make_node("Conv", ["x", "k"], ["c"], pads=[1, 1, 1, 1], strides=[2, 2], group=1),
                helper.make_node("MaxPool", ["c"], ["p"], kernel_shape=[2, 2]),
                helper.make_node("Flatten", ["p"], ["y"]),
            ],
            "net",
            [image],
            [value("y", TensorProto.FLOAT, ["batch", 8])],
            [kernel],
        ),
        opset=11,
    )


def archives():
    def tar(names):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name in names:
                entry = tarfile.TarInfo(name)
                entry.size = 5
                archive.addfile(entry, io.BytesIO(b"bytes"))
        return gzip.compress(out.getvalue(), mtime=0)

    def packed(names, method):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), b"bytes" * 20, method)
        return out.getvalue()

    names = ["package/README", "package/data/images"]
    put("archive", "tar", b"\0" + tar(names))
    put("archive", "outside.tar", b"\0" + tar(["../images", *names]))
    put("archive", "zip", b"\1" + packed(names, zipfile.ZIP_DEFLATED))
    put("archive", "stored.zip", b"\1" + packed(["../images", *names], zipfile.ZIP_STORED))
    put("archive", "gzip", b"\2" + gzip.compress(b"bytes" * 50, mtime=0))


def bundles():
    side = {"name": "x", "element": "float", "shape": ["batch", 2]}
    evaluation = {
        "passed": True,
        "fingerprint": {"files": {"model": {"sha256": HASH}}},
        "timing": [{"batch": 1, "engines": [{"engine": "ort:cpu", "latency_ms": {"p50": 1.5}}]}],
    }
    manifest = {
        "format": 1,
        "name": "net",
        "code": {"bundled_by": "kiln 0.1.0", "bundled_at": None, "exported_at": None, "trained_at": None},
        "model": {"path": "model_repository/net/1/model.onnx", "sha256": HASH, "external": [], "signature": {"inputs": [side], "outputs": [{**side, "name": "y"}]}, "metadata": {}},
        "data": {},
        "weights": None,
        "evidence": {"path": "evidence/eval.json", "sha256": HASH, "model_sha256": HASH},
        "timing": {"sha256": HASH, "p50_ms": [{"engine": "ort:cpu", "batch": 1, "p50_ms": 1.5}]},
        "example": {"about": "a", "request": "example/request.json", "response": "example/response.json", "computed_by": "x", "relative_tolerance": 0.0001},
        "max_batch_size": 4,
        "labels": "labels.txt",
        "files": {"evidence/eval.json": {"sha256": HASH, "bytes": 3}},
    }
    tensor = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [0.5, -1.0]}
    example = {"id": "example", "model_name": "net", "model_version": "1", "inputs": [tensor], "outputs": [tensor]}
    config = 'name: "net"\nplatform: "onnxruntime_onnx"\nmax_batch_size: 4\ninput [\n  {\n    name: "x"\n    data_type: TYPE_FP32\n    dims: [ 2 ]\n  }\n]\noutput [ { name: "y" data_type: TYPE_FP32 dims: [ -1 ] label_filename: "labels.txt" } ]\ndynamic_batching { }\n'
    sums = f"{HASH}  evidence/eval.json\n"
    put("bundle", "whole", parts(json.dumps(manifest), sums, json.dumps(evaluation), json.dumps(example), config))


def texts():
    for name, text in {"plain": "2*batch", "nested": "(sequence + 1)//2 - batch*(s0+3)", "negative": "-batch + 5", "name": "a.b_c"}.items():
        put("expression", name, text)
    record = {"parameters": {"seed": 1}, "inputs": {"a": HASH}, "code": HASH, "outputs": {"d": HASH}}
    put("manifest", "lock", json.dumps({"version": 1, "stages": {"net/train": record}}))
    squad = {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": "Jim Henson was a puppeteer", "qas": [{"id": "1", "question": "Who?", "answers": [{"text": "Jim Henson", "answer_start": 0}], "is_impossible": False}]}]}]}
    put("squad", "nested", json.dumps(squad))
    flat = {"id": "1", "question": "Who?", "context": "Jim", "answers": {"text": ["Jim"], "answer_start": [0]}}
    put("squad", "lines", json.dumps(flat) + "\n" + json.dumps(flat))
    put("squad", "rows", json.dumps({"rows": [{"row": flat}]}))
    put("squad", "list", json.dumps([flat]))
    put("squad", "labels", json.dumps({"0": "a_b", "1": "c", "2": "d"}))


def digits():
    images = struct.pack(">IIII", 2051, 2, 28, 28) + bytes(2 * 784)
    labels = struct.pack(">II", 2049, 2) + bytes([3, 9])
    put("digits", "plain", parts(images, labels))
    put("digits", "packed", parts(b"", labels, gzip.compress(images, mtime=0), "\n".join("abcdefghij"), ""))
    put("digits", "mapping", parts(images, labels, b"", "", "\n".join(f"{n} {48 + n}" for n in range(10))))


def tensors():
    def file(metadata, **entries):
        header, data = dict(metadata), b""
        for name, (dtype, shape, values) in entries.items():
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
            data += values
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    x, n, y = ("F32", [1, 2], bytes(8)), ("I64", [1, 2], bytes(16)), ("F16", [1, 2], bytes(4))
    put("inputs", "inputs.safetensors", file({}, x=x, n=n))
    put("inputs", "outputs.safetensors", file({}, y=y))
    arrays = [numpy.zeros((1, 2), kind) for kind in (numpy.float32, numpy.int64, numpy.float16)]
    put("inputs", "pb", parts(*(numpy_helper.from_array(array, name).SerializeToString() for array, name in zip(arrays, "xny"))))
    part = file({"__metadata__": {"format": "pt"}}, a=("BF16", [2, 2], bytes(8)), b=("BOOL", [], b"\1"))
    put("safetensors", "whole", part)
    index = {"metadata": {"total_size": 9}, "weight_map": {"a": "part.safetensors", "b": "part.safetensors"}}
    put("safetensors", "sharded", parts(json.dumps(index), part))

    message = {"message": "outputs", "tensors": [{"name": "y", "element": "float", "shape": [1, 2]}]}
    text = json.dumps(message).encode()
    put("answer", "outputs", struct.pack("<I", len(text)) + text + bytes(8))

    header = {
        "version": 2,
        "config": {
            "device": "flex",
            "seed": 1,
            "epochs": 14,
            "batch_size": 64,
            "test_batch_size": 1000,
            "learning_rate": 1.0,
            "schedule": {"kind": "step", "gamma": 0.7},
            "limit": None,
            "dry_run": False,
            "optimizer": {"rho": 0.9, "epsilon": 1e-6, "weight_decay": 0.0},
            "channel_dropout": 0.25,
            "hidden_dropout": 0.5,
            "augmentation": None,
            "averaging": None,
        },
        "data": {"train-images-idx3-ubyte": HASH},
        "progress": {"epoch": 0, "step": 0, "loss": 0.5, "seconds": 1.5, "epochs": []},
    }
    put("checkpoint", "header", b"\0" + json.dumps(header).encode())
    metadata = {"training": json.dumps(header), "sha256": "0" * 64}
    put("checkpoint", "file", b"\1" + file({"__metadata__": metadata}, a=x))


for write in (models, archives, bundles, texts, digits, tensors):
    write()
