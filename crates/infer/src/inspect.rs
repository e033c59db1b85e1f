//! `infer inspect`: what a file is, and whether Kiln would open it. No runtime is loaded.

mod bundled;
mod file;
mod onnx;
mod weights;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use cli::inspect::InspectArgs;
use serde::Serialize;
use terminal::plain::line;
use terminal::table::grouped;

use self::file::Kind;

/// What a file is.
#[derive(Debug, Serialize)]
struct Inspection<'a> {
    /// As it was given.
    path: &'a Path,
    /// Its format; `None` where that cannot be told.
    format: Option<&'static str>,
    /// Whether Kiln opens it.
    opens: bool,
    /// Why not, in a sentence.
    refused: Option<String>,
    /// What is in it.
    #[serde(flatten)]
    content: Option<Content>,
    /// What few files have, in sentences.
    unusual: Vec<String>,
}

/// What is in a file, by its format.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Content {
    Onnx(onnx::Contents),
    Weights(weights::Contents),
    Bundle(bundled::Contents),
}

/// What was found, or why Kiln does not open it.
type Found = Result<(Content, Vec<String>), String>;

/// Prints what the file is. The exit status says whether Kiln would open it.
pub fn execute(arguments: &InspectArgs) -> Result<ExitCode> {
    let path = arguments.path.as_path();
    let (format, found) = look(path);
    let opens = found.is_ok();
    let (content, unusual, refused) = match found {
        Ok((content, unusual)) => (Some(content), unusual, None),
        Err(reason) => (None, Vec::new(), Some(reason)),
    };
    let inspection = Inspection { path, format, opens, refused, content, unusual };
    match arguments.json {
        true => crate::print(serde_json::to_string_pretty(&inspection)? + "\n")?,
        false => crate::print(inspection.text())?,
    }
    Ok(if opens { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The format, and what is in it.
fn look(path: &Path) -> (Option<&'static str>, Found) {
    match Kind::of(path) {
        Ok(Kind::Onnx) => {
            let found = onnx::inspect(path);
            // What is no model may be anything, unless its name says what it should be.
            let is_known = found.is_ok() || path.extension().is_some_and(|ending| ending == "onnx");
            (is_known.then_some("ONNX"), found)
        }
        Ok(Kind::Bundle) => (Some("bundle"), bundled::inspect(path)),
        Ok(Kind::Weights) => match weights::inspect(path) {
            Ok((format, content, unusual)) => (Some(format), Ok((Content::Weights(content), unusual))),
            Err(reason) => (None, Err(reason)),
        },
        Err(reason) => (None, Err(reason)),
    }
}

impl Inspection<'_> {
    fn text(&self) -> String {
        let mut text = match self.format {
            Some(format) => line(format_args!("{}: {format}", self.path.display())),
            None => line(self.path.display()),
        };
        text += &match &self.content {
            Some(Content::Onnx(content)) => content.text(),
            Some(Content::Weights(content)) => content.text(),
            Some(Content::Bundle(content)) => content.text(),
            None => String::new(),
        };
        text.extend(self.unusual.iter().map(|unusual| line(format_args!("Unusual: {unusual}."))));
        text + &match &self.refused {
            Some(reason) => line(format_args!("Kiln would not open it: {reason}.")),
            None => line("Kiln would open it."),
        }
    }
}

/// A heading, and a line for each item below it; nothing for no items.
fn listed(heading: &str, items: impl IntoIterator<Item = String>) -> String {
    let items: String = items.into_iter().map(|item| line(format_args!("  {item}"))).collect();
    if items.is_empty() { items } else { line(heading) + &items }
}

/// `key: value` for each.
fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a String)>) -> impl Iterator<Item = String> {
    pairs.into_iter().map(|(key, value)| format!("{key}: {}", shortened(value)))
}

/// The beginning of a long value.
fn shortened(value: &str) -> String {
    const LONGEST: usize = 200;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}… ({} bytes)", value.get(..end).unwrap_or_default(), value.len()),
        None => value.to_owned(),
    }
}

/// A count of things: `1 tensor`, `1,024 tensors`.
fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(&number.to_string()), if number == 1 { "" } else { "s" })
}

/// Names with characters that cannot be seen, as few files have them.
fn hidden<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let hidden: Vec<&str> = names.into_iter().filter(|name| terminal::plain::plain(name) != *name).collect();
    let first = hidden.first()?;
    Some(format!("{} with characters that cannot be seen, such as `{first}`", count(hidden.len() as u64, "name")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_values_are_told_in_short() {
        assert_eq!(count(1, "tensor"), "1 tensor");
        assert_eq!(count(1_199_882, "parameter"), "1,199,882 parameters");
        assert_eq!(shortened("kiln"), "kiln");
        assert_eq!(shortened(&"é".repeat(300)), format!("{}… (600 bytes)", "é".repeat(200)));
        assert_eq!(hidden(["a", "b"]), None);
        let told = hidden(["a", "b\n", "c\u{202e}"]).unwrap();
        assert!(told.starts_with("2 names with characters that cannot be seen"), "{told}");
        assert_eq!(listed("Takes", []), "");
    }
}
