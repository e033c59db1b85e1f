//! `config.pbtxt` for NVIDIA Triton Inference Server: the `ModelConfig` message as text.
//!
//! With `max_batch_size` above 0 Triton puts a batch dimension before every `dims`, so that they leave it out, and may put
//! requests together. That needs a network whose first dimension is the batch in every input and output. For another one
//! `max_batch_size` is 0 and `dims` are the whole shape.

use std::fmt::Write;

use crate::example::datatype;
use crate::pbtxt::{self, Message, quoted};
use engines::engine::{Dimension, Signature, TensorInfo};
use engines::tensor::ElementType;

/// The name by which Triton knows its ONNX Runtime backend.
const PLATFORM: &str = "onnxruntime_onnx";

/// How long Triton may hold a request back to put others beside it, in microseconds.
const QUEUE_DELAY: u64 = 500;

/// How a network is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TritonConfig {
    /// The model's name, which is its folder's.
    pub name: String,
    /// The most items in a batch; 0 for a network without a batch dimension.
    pub max_batch_size: usize,
    /// The inputs.
    pub inputs: Vec<TritonTensor>,
    /// The outputs.
    pub outputs: Vec<TritonTensor>,
    /// The file beside the configuration that names the classes of the only output.
    pub labels: Option<String>,
}

/// An input or output as Triton declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TritonTensor {
    /// Its name.
    pub name: String,
    /// Its type: `TYPE_FP32`.
    pub data_type: String,
    /// Its sizes without the batch; -1 for any.
    pub dims: Vec<i64>,
}

impl TritonConfig {
    /// The configuration for a network.
    ///
    /// # Errors
    /// A sentence that names an input or output of a type that is not handled.
    pub fn new(name: &str, signature: &Signature, max_batch: usize, labels: Option<&str>) -> Result<Self, String> {
        let batched = has_batch(signature);
        let tensors = |all: &[TensorInfo]| all.iter().map(|info| tensor(info, batched)).collect::<Result<Vec<_>, _>>();
        Ok(Self {
            name: name.to_owned(),
            max_batch_size: if batched { max_batch } else { 0 },
            inputs: tensors(&signature.inputs)?,
            outputs: tensors(&signature.outputs)?,
            labels: labels.map(str::to_owned),
        })
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        let mut text = format!(
            "name: {}\nplatform: \"{PLATFORM}\"\nmax_batch_size: {}\n",
            quoted(&self.name),
            self.max_batch_size
        );
        for (kind, tensors) in [("input", &self.inputs), ("output", &self.outputs)] {
            let items: Vec<String> = tensors
                .iter()
                .map(|tensor| {
                    let dims: Vec<String> = tensor.dims.iter().map(ToString::to_string).collect();
                    let mut item = format!(
                        "  {{\n    name: {}\n    data_type: {}\n    dims: [ {} ]\n",
                        quoted(&tensor.name),
                        tensor.data_type,
                        dims.join(", ")
                    );
                    if let Some(labels) = self.labels.as_ref().filter(|_| kind == "output" && tensors.len() == 1) {
                        let _ = writeln!(item, "    label_filename: {}", quoted(labels));
                    }
                    item + "  }"
                })
                .collect();
            let _ = write!(text, "{kind} [\n{}\n]\n", items.join(",\n"));
        }
        if self.max_batch_size > 0 {
            let _ = write!(text, "dynamic_batching {{\n  max_queue_delay_microseconds: {QUEUE_DELAY}\n}}\n");
        }
        text
    }

    /// Everything in which the text of a configuration does not agree with this one, in sentences. What else it may say,
    /// such as where to run, is its own affair.
    pub fn disagreements(&self, text: &str) -> Vec<String> {
        let message = match pbtxt::parse(text) {
            Ok(message) => message,
            Err(reason) => return vec![format!("is not in protobuf's text format: {reason}")],
        };
        let mut found = Vec::new();
        for (field, expected) in [
            ("name", self.name.clone()),
            ("platform", PLATFORM.to_owned()),
            ("max_batch_size", self.max_batch_size.to_string()),
        ] {
            let told = message.scalar(field);
            if told != Some(expected.as_str()) {
                found.push(format!("says {field} {} instead of {expected}", told.unwrap_or("nothing")));
            }
        }
        for (kind, expected) in [("input", &self.inputs), ("output", &self.outputs)] {
            let told: Vec<TritonTensor> = message.messages(kind).into_iter().map(declared).collect();
            if told != *expected {
                found.push(format!("declares {kind} {} instead of {}", listed(&told), listed(expected)));
            }
        }
        if (self.max_batch_size > 0) != (message.messages("dynamic_batching").len() == 1) {
            found.push("does not declare dynamic_batching as the model's batch dimension allows".to_owned());
        }
        found
    }
}

/// Whether the first dimension of every input and output is the same free one.
fn has_batch(signature: &Signature) -> bool {
    let mut firsts = signature.inputs.iter().chain(&signature.outputs).map(|info| info.shape.first());
    let Some(Some(first @ Dimension::Named(_))) = firsts.next() else { return false };
    firsts.all(|other| other == Some(first))
}

fn tensor(info: &TensorInfo, batched: bool) -> Result<TritonTensor, String> {
    let element = info.element.ok_or_else(|| format!("`{}` is of a type that is not handled", info.name))?;
    let size = |dimension: &Dimension| match dimension {
        Dimension::Fixed(size) => i64::try_from(*size).unwrap_or(i64::MAX),
        Dimension::Named(_) | Dimension::Unknown => -1,
    };
    Ok(TritonTensor {
        name: info.name.clone(),
        data_type: match element {
            ElementType::String => "TYPE_STRING".to_owned(),
            element => format!("TYPE_{}", datatype(element)),
        },
        dims: info.shape.iter().skip(usize::from(batched)).map(size).collect(),
    })
}

fn declared(message: &Message) -> TritonTensor {
    TritonTensor {
        name: message.scalar("name").unwrap_or_default().to_owned(),
        data_type: message.scalar("data_type").unwrap_or_default().to_owned(),
        // A size that is no number is a size that no network has.
        dims: message.scalars("dims").iter().map(|size| size.parse().unwrap_or(i64::MIN)).collect(),
    }
}

fn listed(tensors: &[TritonTensor]) -> String {
    let one = |tensor: &TritonTensor| format!("{} {} {:?}", tensor.name, tensor.data_type, tensor.dims);
    tensors.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parsed by `google.protobuf.text_format` into `ModelConfig` of tritonclient, which took it as meant.
    const BERT: &str = r#"name: "bert-qa"
platform: "onnxruntime_onnx"
max_batch_size: 16
input [
  {
    name: "input_ids"
    data_type: TYPE_INT64
    dims: [ -1 ]
  },
  {
    name: "attention_mask"
    data_type: TYPE_INT64
    dims: [ -1 ]
  },
  {
    name: "token_type_ids"
    data_type: TYPE_INT64
    dims: [ -1 ]
  }
]
output [
  {
    name: "start_logits"
    data_type: TYPE_FP32
    dims: [ -1 ]
  },
  {
    name: "end_logits"
    data_type: TYPE_FP32
    dims: [ -1 ]
  }
]
dynamic_batching {
  max_queue_delay_microseconds: 500
}
"#;

    fn bert() -> Signature {
        let tensor = |name: &str, element| TensorInfo {
            name: name.to_owned(),
            element: Some(element),
            other: None,
            container: None,
            shape: ["batch", "sequence"].map(|axis| Dimension::Named(axis.to_owned())).into(),
        };
        Signature {
            inputs: ["input_ids", "attention_mask", "token_type_ids"]
                .map(|name| tensor(name, ElementType::Int64))
                .into(),
            outputs: ["start_logits", "end_logits"].map(|name| tensor(name, ElementType::Float)).into(),
        }
    }

    #[test]
    fn the_batch_is_left_out_of_the_sizes() {
        let config = TritonConfig::new("bert-qa", &bert(), 16, None).unwrap();
        assert_eq!(config.text(), BERT);
        assert_eq!(config.disagreements(BERT), [""; 0]);
        assert_eq!(config.disagreements(&format!("{BERT}instance_group [ {{ kind: KIND_CPU }} ]")), [""; 0]);
    }

    #[test]
    fn without_a_batch_there_is_no_batching_and_the_sizes_are_whole() {
        let shape = vec![Dimension::Fixed(1), Dimension::Fixed(3)];
        let info =
            TensorInfo { name: "x".to_owned(), element: Some(ElementType::Float), other: None, container: None, shape };
        let signature = Signature { inputs: vec![info.clone()], outputs: vec![info] };
        let config = TritonConfig::new("net", &signature, 16, Some("labels.txt")).unwrap();
        let text = config.text();
        assert!(text.contains("max_batch_size: 0") && text.contains("dims: [ 1, 3 ]"), "{text}");
        assert!(!text.contains("dynamic_batching") && text.contains("label_filename: \"labels.txt\""), "{text}");
        assert_eq!(config.disagreements(&text), [""; 0]);
    }

    #[test]
    fn every_disagreement_is_told() {
        let config = TritonConfig::new("bert-qa", &bert(), 16, None).unwrap();
        for (from, to, complaint) in [
            ("\"bert-qa\"", "\"other\"", "says name other"),
            ("onnxruntime_onnx", "tensorrt_plan", "says platform"),
            ("max_batch_size: 16", "max_batch_size: 8", "max_batch_size 8 instead of 16"),
            ("dims: [ -1 ]", "dims: [ 384 ]", "[384]"),
            ("TYPE_FP32", "TYPE_FP16", "TYPE_FP16"),
            ("\"end_logits\"", "\"ends\"", "ends"),
            ("dynamic_batching", "sequence_batching", "dynamic_batching"),
            ("input [", "input [[", "text format"),
        ] {
            let told = config.disagreements(&BERT.replacen(from, to, 1));
            assert_eq!(told.len(), 1, "{from}: {told:?}");
            assert!(told[0].contains(complaint), "{complaint} in {told:?}");
        }
    }
}
