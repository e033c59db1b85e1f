// Asks transformers.js, on WebAssembly, about a text with the folder that `export encoder` wrote. By hand, in a folder where
// `npm install @huggingface/transformers@4.3.2` was run:
//
//     node encoder.mjs TASK FOLDER TEXT
//
// TASK is text-classification, token-classification, fill-mask or feature-extraction. The scores are those of `predict encoder`.

import fs from "node:fs";
import path from "node:path";

const [task, folder, text] = process.argv.slice(2);
const packages = path.resolve("node_modules");
// The build for browsers tells node by this name, and reads files as a browser does.
Object.defineProperty(process, "release", { value: { name: "browser" } });
globalThis.fetch = async (url) => {
  const file = String(url).replace(/^file:\/\//, "");
  return fs.existsSync(file) ? new Response(fs.readFileSync(file)) : new Response("", { status: 404 });
};
const { env, pipeline } = await import(path.join(packages, "@huggingface/transformers/dist/transformers.web.js"));
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.useBrowserCache = false;
env.useWasmCache = false;
env.localModelPath = path.dirname(path.resolve(folder)) + "/";
env.backends.onnx.wasm.numThreads = 1;
env.backends.onnx.wasm.wasmPaths = path.join(packages, "onnxruntime-web/dist/");
const ask = await pipeline(task, path.basename(folder), { device: "wasm", dtype: "fp32" });
const answer = await ask(text);
console.log(JSON.stringify(answer.dims ? { dims: answer.dims, first: [...answer.data.slice(0, 4)] } : answer));
