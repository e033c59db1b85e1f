//! The names of execution providers, and which one a misspelt name was meant to be.

/// A provider that has no variant of its own but is in ONNX Runtime's documentation.
pub(super) struct Documented {
    /// The name by which it is asked for.
    pub(super) name: &'static str,
    /// The name that `SessionOptionsAppendExecutionProvider` takes.
    pub(super) short: &'static str,
    /// The name in profiles and in the list of what a library has.
    pub(super) runtime: &'static str,
}

const fn documented(name: &'static str, short: &'static str, runtime: &'static str) -> Documented {
    Documented { name, short, runtime }
}

/// In the order of their names.
pub(super) const DOCUMENTED: [Documented; 19] = [
    documented("acl", "ACL", "ACLExecutionProvider"),
    documented("armnn", "ArmNN", "ArmNNExecutionProvider"),
    documented("azure", "AZURE", "AzureExecutionProvider"),
    documented("cann", "CANN", "CANNExecutionProvider"),
    documented("coreml", "CoreML", "CoreMLExecutionProvider"),
    documented("dml", "DML", "DmlExecutionProvider"),
    documented("js", "JS", "JsExecutionProvider"),
    documented("migraphx", "MIGraphX", "MIGraphXExecutionProvider"),
    documented("nnapi", "NNAPI", "NnapiExecutionProvider"),
    documented("nvtensorrtrtx", "NvTensorRtRtx", "NvTensorRTRTXExecutionProvider"),
    documented("qnn", "QNN", "QNNExecutionProvider"),
    documented("rknpu", "RKNPU", "RknpuExecutionProvider"),
    documented("rocm", "ROCM", "ROCMExecutionProvider"),
    documented("snpe", "SNPE", "SNPEExecutionProvider"),
    documented("tvm", "TVM", "TvmExecutionProvider"),
    documented("vitisai", "VitisAI", "VitisAIExecutionProvider"),
    documented("vsinpu", "VSINPU", "VSINPUExecutionProvider"),
    documented("webgpu", "WebGPU", "WebGpuExecutionProvider"),
    documented("webnn", "WEBNN", "WebNNExecutionProvider"),
];

/// What ends every name in profiles.
pub(super) const SUFFIX: &str = "ExecutionProvider";

/// Names that are not ONNX Runtime's, and the provider that people mean by them.
const MEANT: [(&str, &str); 6] = [
    ("gpu", "cuda"),
    ("nvidia", "cuda"),
    ("trt", "tensorrt"),
    ("onednn", "dnnl"),
    ("mkldnn", "dnnl"),
    ("directml", "dml"),
];

/// Longer names are refused by ONNX Runtime.
const LONGEST: usize = 64;

/// Whether a name could be that of a provider which is not known here.
pub(super) fn is_legal(name: &str) -> bool {
    let legal = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    (1..=LONGEST).contains(&name.len()) && name.chars().all(legal)
}

/// The one of `known` that a name was meant to be; `None` if it is like none of them.
pub(crate) fn meant<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    let other = MEANT.iter().find(|(other, _)| *other == name).map(|(_, meant)| *meant);
    let near = |candidate: &str| match other {
        Some(meant) => (candidate == meant).then_some(0),
        // One slip in a short name, two in a long one: a name that differs in more is another.
        None => Some(slips(&name, candidate)).filter(|&slips| slips <= 1 + usize::from(candidate.len() > 5)),
    };
    let found = known.into_iter().filter_map(|candidate| Some((near(candidate)?, candidate)));
    found.min_by_key(|(slips, _)| *slips).map(|(_, candidate)| candidate)
}

/// How many letters are missing, extra, other or swapped with their neighbour between two names: the optimal string
/// alignment distance.
fn slips(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // The last three rows of the table of distances between beginnings of the names.
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (row, &letter) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in b.iter().enumerate() {
            let at = |line: &[usize], column: usize| line.get(column).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(letter != other);
            let mut least = replaced.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            let swapped = row > 0 && column > 0 && a.get(row - 1) == Some(&other) && b.get(column - 1) == Some(&letter);
            if swapped {
                least = least.min(at(&before, column - 1) + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut last, current);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: a swap, a wrong letter, a missing and an extra one are one slip each.
    #[test]
    fn slips_are_counted_as_people_make_them() {
        for (a, b, count) in [
            ("cuda", "cuda", 0),
            ("cdua", "cuda", 1),
            ("cuba", "cuda", 1),
            ("cua", "cuda", 1),
            ("cudda", "cuda", 1),
            ("opnevinoo", "openvino", 2),
            ("", "abc", 3),
            ("abc", "", 3),
        ] {
            assert_eq!(slips(a, b), count, "{a} {b}");
        }
    }

    #[test]
    fn a_slip_finds_what_was_meant_and_another_name_finds_nothing() {
        let known = ["cpu", "cuda", "dnnl", "openvino", "tensorrt"];
        for (name, found) in [
            ("cdua", Some("cuda")),
            ("Cuda", Some("cuda")),
            ("opnvino", Some("openvino")),
            ("tensort", Some("tensorrt")),
            ("gpu", Some("cuda")),
            ("oneDNN", Some("dnnl")),
            ("directml", None),
            ("myaccelerator", None),
        ] {
            assert_eq!(meant(name, known), found, "{name}");
        }
    }

    #[test]
    fn names_of_providers_are_plain() {
        for name in ["my_ep", "a-b", "QNN"] {
            assert!(is_legal(name), "{name}");
        }
        for name in ["", "a b", "a:b", "a.b", "ä", "../x", &"x".repeat(65)] {
            assert!(!is_legal(name), "{name}");
        }
    }
}
