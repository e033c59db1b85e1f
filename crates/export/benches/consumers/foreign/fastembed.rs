//! fastembed, for the benchmark `consumers`: embeds texts with a folder that the user has.
//!
//! `PROGRAM FOLDER TEXTS.json [mean]`: the vectors go to standard output. With `mean` the folder gives the hidden states of tokens, and
//! fastembed pools them.

use std::path::Path;

use fastembed::{InitOptionsUserDefined, Pooling, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, texts, pooling @ ..] = arguments.as_slice() else { return Err("a folder and texts are needed".into()) };
    let read = |name: &str| std::fs::read(Path::new(folder).join(name)).map_err(|error| format!("{name}: {error}"));
    let tokenizer_files = TokenizerFiles {
        tokenizer_file: read("tokenizer.json")?,
        config_file: read("config.json")?,
        special_tokens_map_file: read("special_tokens_map.json")?,
        tokenizer_config_file: read("tokenizer_config.json")?,
    };
    let mut model = UserDefinedEmbeddingModel::new(read("onnx/model.onnx")?, tokenizer_files);
    if !pooling.is_empty() {
        model = model.with_pooling(Pooling::Mean);
    }
    let mut embedder = TextEmbedding::try_new_from_user_defined(model, InitOptionsUserDefined::new())?;
    let texts: Vec<String> = serde_json::from_str(&std::fs::read_to_string(texts)?)?;
    println!("{}", serde_json::to_string(&embedder.embed(&texts, Some(3))?)?);
    Ok(())
}
