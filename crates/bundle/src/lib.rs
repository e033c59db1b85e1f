//! A folder ready to ship: the model in the layout of NVIDIA Triton's model repository, what its users need beside it, and
//! the proof that it is what it says.
//!
//! ```text
//! manifest.json                             what belongs together: data, weights, code, evidence, timing, files, by hash
//! SHA256SUMS                                for `sha256sum --check`
//! model.sig                                 whose it is: a signature over all other files, if there is one
//! sbom.cdx.json                             what made it: a bill of materials in CycloneDX
//! README.md                                 how to check and to serve it
//! evidence/eval.json                        the evaluation of this very file
//! example/{request,response}.json           a request with real values, and the answer
//! tokenizer/…                               for a network that reads text
//! model_repository/NAME/config.pbtxt        what Triton serves
//! model_repository/NAME/labels.txt          the names of the classes
//! model_repository/NAME/1/model.onnx        and the files with its weights, if it keeps them apart
//! ```

pub mod example;
pub mod key;
pub mod manifest;
pub mod pbtxt;
pub mod sbom;
pub mod signature;
pub mod sums;
pub mod triton;
pub mod verify;
pub mod write;

/// What the manifest names as the program that wrote it, before its version.
pub const PROGRAM: &str = "kiln";
/// The manifest.
pub const MANIFEST: &str = "manifest.json";
/// The checksums.
pub const SUMS: &str = "SHA256SUMS";
/// The signature, by the name that OpenSSF model-signing gives it.
pub const SIGNATURE: &str = "model.sig";
/// The bill of materials, by an ending that CycloneDX recommends.
pub const BILL: &str = "sbom.cdx.json";
/// The evaluation.
pub const EVIDENCE: &str = "evidence/eval.json";
/// The example request.
pub const REQUEST: &str = "example/request.json";
/// The expected response.
pub const RESPONSE: &str = "example/response.json";

/// The folder of a model in Triton's repository.
pub fn model_folder(name: &str) -> String {
    format!("model_repository/{name}")
}

/// The model's file.
pub fn model_file(name: &str) -> String {
    format!("{}/1/model.onnx", model_folder(name))
}

/// The model's configuration.
pub fn config_file(name: &str) -> String {
    format!("{}/config.pbtxt", model_folder(name))
}
