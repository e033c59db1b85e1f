//! ONNX models.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use onnx_model::{DataFile, LAST_OPSET, Survey};
use serde::Serialize;
use terminal::failure::sentence;
use terminal::plain::line;

use super::{Content, Found, count, hidden, listed, pairs};

/// A model.
#[derive(Debug, Serialize)]
pub struct Contents {
    bytes: u64,
    ir_version: i64,
    /// The version of each operator set; the empty name is ONNX's own.
    opsets: BTreeMap<String, i64>,
    producer: String,
    graph: String,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    /// How often each operator stands in all graphs and functions.
    operators: BTreeMap<String, u64>,
    nodes: u64,
    graphs: u64,
    depth: usize,
    functions: u64,
    /// Elements of initialisers.
    parameters: u64,
    tensors: u64,
    /// Bytes of values in the file itself.
    tensor_bytes: u64,
    external: Vec<External>,
    metadata: BTreeMap<String, String>,
}

/// An input or output.
#[derive(Debug, Serialize)]
struct Value {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

/// A file with values of tensors.
#[derive(Debug, Serialize)]
struct External {
    location: String,
    path: PathBuf,
    bytes: u64,
    used: u64,
    tensors: u64,
}

/// Looks at a model as every command does before it opens one.
pub fn inspect(path: &Path) -> Found {
    let survey = Survey::of(path).map_err(|error| sentence(&error))?;
    let unusual = unusual(&survey);
    let values = |values: Vec<(String, String)>| values.into_iter().map(|(name, ty)| Value { name, ty }).collect();
    let external = survey.data_files.into_iter().map(|DataFile { location, path, bytes, used, tensors }| External {
        location,
        path,
        bytes,
        used,
        tensors,
    });
    let contents = Contents {
        bytes: survey.bytes,
        ir_version: survey.ir_version,
        opsets: survey.opset_imports,
        producer: format!("{} {}", survey.producer_name, survey.producer_version).trim().to_owned(),
        graph: survey.graph_name,
        inputs: values(survey.inputs),
        outputs: values(survey.outputs),
        nodes: survey.operators.values().sum(),
        operators: survey.operators,
        graphs: survey.graphs,
        depth: survey.depth,
        functions: survey.functions,
        parameters: survey.parameters,
        tensors: survey.tensors,
        tensor_bytes: survey.tensor_bytes,
        external: external.collect(),
        metadata: survey.metadata,
    };
    Ok((Content::Onnx(contents), unusual))
}

/// What few models have.
fn unusual(survey: &Survey) -> Vec<String> {
    let mut unusual: Vec<String> = survey.unusual.iter().map(|&what| what.to_owned()).collect();
    match survey.opset_imports.get("") {
        None => unusual.push("it names no version of ONNX's operators".to_owned()),
        Some(opset) if *opset > LAST_OPSET => {
            unusual.push(format!("its opset {opset} is later than {LAST_OPSET}, the last that Kiln knows"));
        }
        Some(_) => {}
    }
    let foreign: Vec<&str> = survey.operators.keys().map(String::as_str).filter(|name| name.contains('.')).collect();
    if !foreign.is_empty() {
        unusual.push(format!("operators that are not ONNX's own: {}", foreign.join(", ")));
    }
    if survey.functions > 0 {
        unusual.push(format!("it defines {} of its own", count(survey.functions, "function")));
    }
    let spare = |file: &&DataFile| file.bytes > file.used;
    unusual.extend(
        survey.data_files.iter().filter(spare).map(|file| {
            format!("{} of `{}` belong to no tensor", count(file.bytes - file.used, "byte"), file.location)
        }),
    );
    let values = survey.inputs.iter().chain(&survey.outputs).flat_map(|(name, ty)| [name, ty]);
    let names = values.chain(survey.operators.keys()).chain(survey.metadata.keys());
    unusual.extend(hidden(names.map(String::as_str)));
    unusual
}

impl Contents {
    pub fn text(&self) -> String {
        let value = |value: &Value| format!("{}: {}", value.name, if value.ty.is_empty() { "?" } else { &value.ty });
        let opsets = self.opsets.iter().map(|(domain, version)| match domain.as_str() {
            "" | "ai.onnx" => format!("opset {version}"),
            domain => format!("{domain} {version}"),
        });
        let operators = self.operators.iter().map(|(name, number)| format!("{name} {number}"));
        let mut text =
            listed("Takes", self.inputs.iter().map(value)) + &listed("Gives", self.outputs.iter().map(value));
        text += &line(format_args!(
            "{}, IR version {}, {}",
            opsets.collect::<Vec<_>>().join(", "),
            self.ir_version,
            count(self.bytes, "byte")
        ));
        let inside = if self.depth > 1 { format!(", up to {} deep", self.depth) } else { String::new() };
        text += &line(format_args!("{} in {}{inside}", count(self.nodes, "node"), count(self.graphs, "graph")));
        text += &listed("Operators", operators);
        text += &line(format_args!(
            "{}, {} with {} in the file",
            count(self.parameters, "parameter"),
            count(self.tensors, "tensor"),
            count(self.tensor_bytes, "byte")
        ));
        let external = self.external.iter().map(|file| {
            format!("{}: {} for {}", file.location, count(file.bytes, "byte"), count(file.tensors, "tensor"))
        });
        text += &listed("Values in other files", external);
        let producer = [("written by", &self.producer), ("graph", &self.graph)];
        let producer = producer.iter().filter(|(_, value)| !value.is_empty());
        let said = producer.map(|(key, value)| format!("{key}: {value}")).chain(pairs(&self.metadata));
        text + &listed("It says of itself", said)
    }
}
