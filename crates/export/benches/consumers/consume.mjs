// Runs an ONNX file in onnxruntime-web on WebAssembly, for the benchmark `consumers`.
//
//     node consume.mjs model.onnx cases.json OUT

import fs from "node:fs";
import path from "node:path";

import * as ort from "onnxruntime-web";

const ARRAYS = { float32: Float32Array, int64: BigInt64Array };

const [model, cases, out] = process.argv.slice(2);
const folder = path.dirname(cases);
ort.env.wasm.numThreads = 1;
const session = await ort.InferenceSession.create(fs.readFileSync(model), { executionProviders: ["wasm"] });
const answers = [];
for (const [number, { case: label, inputs }] of JSON.parse(fs.readFileSync(cases)).entries()) {
  try {
    const feeds = {};
    for (const { name, dtype, shape, file } of inputs) {
      const bytes = new Uint8Array(fs.readFileSync(path.join(folder, file)));
      feeds[name] = new ort.Tensor(dtype, new ARRAYS[dtype](bytes.buffer), shape);
    }
    const outputs = [];
    for (const [name, { type, dims, data }] of Object.entries(await session.run(feeds))) {
      const file = `answer-${number}-${name}.bin`;
      fs.writeFileSync(path.join(out, file), new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      outputs.push({ name, dtype: type, shape: dims, file });
    }
    answers.push({ case: label, outputs });
  } catch (error) {
    answers.push({ case: label, error: String(error) });
  }
}
fs.writeFileSync(path.join(out, "outputs.json"), JSON.stringify(answers));
