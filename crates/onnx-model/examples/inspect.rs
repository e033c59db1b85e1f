//! Prints an ONNX file, the types that follow for its values, and what is wrong with it.
//!
//! `cargo run --release -p onnx-model --example inspect -- model.onnx`

use std::error::Error;

use onnx_model::Model;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("usage: inspect MODEL.onnx")?;
    let model = Model::load(path)?;
    println!("{model}");
    let types = model.check()?;
    for output in model.graph.nodes.iter().flat_map(|node| &node.outputs) {
        if let Some(ty) = types.get(output) {
            println!("{output}: {ty}");
        }
    }
    Ok(())
}
