//! Tensors on their way to a program and back, for the benchmark `consumers`.
//!
//! `PROGRAM model.onnx cases.json OUT`: the cases name the files of their inputs; the answers go to `OUT/outputs.json`.

use std::path::Path;

use serde_json::{Value, json};

/// Elements as the files of this benchmark have them.
pub enum Elements {
    Float(Vec<f32>),
    Int(Vec<i64>),
}

/// A tensor with its name.
pub struct Named {
    pub name: String,
    pub shape: Vec<usize>,
    pub elements: Elements,
}

/// What `?` makes of any error.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Hands all cases to what `load` makes of the model, and writes what it gives.
pub fn serve<R>(load: impl FnOnce(&Path) -> Result<R>) -> Result<()>
where
    R: FnMut(Vec<Named>, &[String]) -> Result<Vec<Named>>,
{
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, cases, out] = arguments.as_slice() else { return Err("a model, cases and a folder are needed".into()) };
    let (cases, out) = (Path::new(cases), Path::new(out));
    let mut run = load(Path::new(model))?;
    let mut answers = Vec::new();
    let asked: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(cases)?)?;
    for (number, case) in asked.iter().enumerate() {
        let folder = cases.parent().unwrap_or(Path::new(""));
        let inputs = list(case, "inputs").iter().map(|entry| read(folder, entry)).collect::<Result<Vec<Named>>>()?;
        let outputs: Vec<String> = list(case, "outputs").iter().map(text).collect();
        answers.push(match run(inputs, &outputs) {
            Ok(found) => {
                let entries = found.iter().map(|named| write(out, number, named)).collect::<Result<Vec<Value>>>()?;
                json!({ "case": case["case"], "outputs": entries })
            }
            Err(error) => json!({ "case": case["case"], "error": format!("{error:#}") }),
        });
    }
    Ok(std::fs::write(out.join("outputs.json"), serde_json::to_string(&answers)?)?)
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn read(folder: &Path, entry: &Value) -> Result<Named> {
    let bytes = std::fs::read(folder.join(text(&entry["file"])))?;
    let elements = match entry["dtype"].as_str() {
        Some("float32") => {
            Elements::Float(bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect())
        }
        Some("int64") => Elements::Int(bytes.as_chunks::<8>().0.iter().map(|chunk| i64::from_le_bytes(*chunk)).collect()),
        other => return Err(format!("an input is {other:?}").into()),
    };
    let shape = list(entry, "shape").iter().map(|size| size.as_u64().unwrap_or_default() as usize).collect();
    Ok(Named { name: text(&entry["name"]), shape, elements })
}

fn write(out: &Path, number: usize, named: &Named) -> Result<Value> {
    let (dtype, bytes): (_, Vec<u8>) = match &named.elements {
        Elements::Float(elements) => ("float32", elements.iter().flat_map(|value| value.to_le_bytes()).collect()),
        Elements::Int(elements) => ("int64", elements.iter().flat_map(|value| value.to_le_bytes()).collect()),
    };
    let file = format!("answer-{number}-{}.bin", named.name);
    std::fs::write(out.join(&file), bytes)?;
    Ok(json!({ "name": named.name, "dtype": dtype, "shape": named.shape, "file": file }))
}
