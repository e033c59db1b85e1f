//! The inputs that engines are wrong about, as files beside the report.

use std::path::{Path, PathBuf};

use artifact::{Outputs, is_ours};
use engines::engine_name::EngineName;
use terminal::failure::sentence;

use crate::command::named;
use crate::contender::EngineRecord;
use crate::measure::Measure;
use crate::onnx_file::given::write;

/// What the names of the files end in.
const SUFFIX: &str = ".trigger.safetensors";

/// What an evaluation was given that bears on running those inputs again.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReproArguments<'a> {
    /// The user's own inputs.
    pub inputs: &'a [PathBuf],
    /// The limit that the user set.
    pub tolerance: Option<f64>,
}

/// Writes the inputs at which each engine departs beside the report `out`, and puts the path into its row. The files of an
/// earlier report of that name are removed, unless they were this evaluation's own inputs. Gives what a reader should know.
pub fn hand_over<'a>(
    rows: impl Iterator<Item = &'a mut EngineRecord>,
    out: &Path,
    model: &Path,
    measure: &Measure,
    again: ReproArguments,
    outputs: &Outputs,
) -> Vec<String> {
    let mut notes = Vec::new();
    for stale in earlier(out).into_iter().filter(|path| !again.inputs.iter().any(|given| same(given, path))) {
        if let Err(error) = std::fs::remove_file(&stale) {
            notes.push(format!("{} is of an earlier report and cannot be removed: {error}", stale.display()));
        }
    }
    for row in rows {
        let Some(departure) = row.departure.as_mut() else { continue };
        let path = beside(out, &row.engine);
        let written = match outputs.neighbour(&path, is_ours) {
            Ok(()) => write(&path, &departure.inputs).map_err(anyhow::Error::from),
            Err(stranger) => Err(stranger.into()),
        };
        notes.push(match written {
            Ok(()) => {
                let command = command(model, &path, &row.engine, measure, again);
                let note = format!("{} shows where {} departs: `{command}`", path.display(), row.engine);
                departure.trigger = Some(path);
                note
            }
            Err(error) => {
                format!("the inputs that show where {} departs are lost: {}", row.engine, sentence(error.as_ref()))
            }
        });
    }
    notes
}

/// The command that runs an engine on inputs.
fn command(model: &Path, inputs: &Path, engine: &str, measure: &Measure, again: ReproArguments) -> String {
    let mut command = "cargo xtask eval".to_owned() + &named("--onnx", model) + &named("--inputs", inputs);
    command.extend(measure.against.iter().map(|path| named("--against", path)));
    command.extend(again.tolerance.map(|share| format!(" --tolerance {share}")));
    let engines = engine.parse::<EngineName>().into_iter().collect();
    command + &Measure { engines, batches: Vec::new(), scenarios: Vec::new(), ..measure.clone() }.words()
}

/// The file for an engine: `onnx.ort-cpu.trigger.safetensors` beside `onnx.json`.
fn beside(report: &Path, engine: &str) -> PathBuf {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '_' { letter } else { '-' };
    let engine: String = engine.chars().map(plain).collect();
    report.with_file_name(format!("{}.{engine}{SUFFIX}", stem(report)))
}

fn stem(report: &Path) -> String {
    report.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files that are there beside a report for whatever engine.
fn earlier(report: &Path) -> Vec<PathBuf> {
    let folder = report.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = stem(report) + ".";
    let engine = |name: &str| Some(name.strip_prefix(&stem)?.strip_suffix(SUFFIX)?.to_owned());
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| path.file_name().and_then(|name| engine(name.to_str()?));
    // A name with a dot in it is that of another report, and a file that does not say that it is ours is the user's.
    files.filter(|path| named(path).is_some_and(|engine| !engine.contains('.')) && is_ours(path)).collect()
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_by_the_report_and_the_engine() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("onnx.json");
        assert_eq!(beside(&report, "ort:cpu"), folder.path().join("onnx.ort-cpu.trigger.safetensors"));
        for name in ["onnx.ort-cpu", "onnx.tract", "onnx.new.tract", "other.tract", "onnx"] {
            write(&folder.path().join(name.to_owned() + SUFFIX), &[]).unwrap();
        }
        write(&folder.path().join("onnx.tract.safetensors"), &[]).unwrap();
        // Somebody else's file under such a name.
        std::fs::write(folder.path().join("onnx.thesis".to_owned() + SUFFIX), b"thesis").unwrap();
        let mut found = earlier(&report);
        found.sort();
        assert_eq!(found, [beside(&report, "ort:cpu"), beside(&report, "tract")]);
    }
}
