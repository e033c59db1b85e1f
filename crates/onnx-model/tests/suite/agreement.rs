//! Agreement with ONNX's own checker and shape inference.
//!
//! `tests/fixtures/agreement.py` built the models, one or more for each version of each operator that an exporter of
//! Burn emits and their broken relatives, and wrote down the verdict of `onnx.checker.check_model(full_check=True)`
//! and the output types that ONNX inferred. What ONNX lets pass and ONNX Runtime then refuses to run, this crate may
//! refuse.

use onnx_model::{DataType, Dim, Model};

const MODELS: &[u8] = include_bytes!("../fixtures/agreement.bin");
const VERDICTS: &str = include_str!("../fixtures/agreement.txt");

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Valid,
    Broken,
    /// Valid to ONNX, and the runtime does not run it.
    Fails,
}

struct Case {
    name: &'static str,
    verdict: Verdict,
    /// The types of the outputs as ONNX infers them, or its reason to refuse.
    about: &'static str,
    bytes: &'static [u8],
}

fn cases() -> Vec<Case> {
    let mut rest = MODELS;
    let mut case = |line: &'static str| {
        let parts: Vec<&str> = line.splitn(3, " | ").collect();
        let [verdict, name, about] = parts[..] else { panic!("a line of three parts: {line}") };
        let (length, tail) = rest.split_first_chunk::<4>().expect("a length");
        let (bytes, tail) = tail.split_at(u32::from_le_bytes(*length) as usize);
        rest = tail;
        let verdict = match verdict {
            "valid" => Verdict::Valid,
            "broken" => Verdict::Broken,
            "fails" => Verdict::Fails,
            other => panic!("a verdict: {other}"),
        };
        Case { name, verdict, about, bytes }
    };
    let cases: Vec<Case> = VERDICTS.lines().map(&mut case).collect();
    assert!(rest.is_empty(), "more models than verdicts");
    cases
}

/// The names and bytes of all models, for other tests.
pub fn models() -> Vec<(&'static str, &'static [u8])> {
    cases().into_iter().map(|case| (case.name, case.bytes)).collect()
}

fn refusal(case: &Case) -> Option<String> {
    match Model::decode(case.bytes) {
        Err(error) => Some(error.to_string()),
        Ok(model) => model.check().err().map(|error| error.to_string()),
    }
}

/// Valid by ONNX and the runtime, refused here, each for a reason.
const STRICTER: &[(&str, &str)] = &[
    ("PRelu at 11, input 0 as a scalar", "the operator's text allows only the slope to broadcast"),
    ("PRelu at 17, input 0 as a scalar", "the operator's text allows only the slope to broadcast"),
    ("ReduceMax at 11, input 0 as a scalar", "a scalar has no axis -1; ONNX says so for the other reductions"),
    ("ReduceMin at 11, input 0 as a scalar", "a scalar has no axis -1; ONNX says so for the other reductions"),
    ("LayerNormalization at 17, an unknown attribute", "ONNX skips attributes of operators that are functions"),
    ("GroupNormalization at 21, input 1 of a higher rank", "ONNX does not infer through this function"),
    ("GroupNormalization at 21, input 1 as a scalar", "ONNX does not infer through this function"),
    ("GroupNormalization at 21, input 2 of a higher rank", "ONNX does not infer through this function"),
    ("GroupNormalization at 21, input 2 as a scalar", "ONNX does not infer through this function"),
    ("GlobalLpPool at 24, input 0 as a scalar", "the runtime refuses it at 11 and does not have this version"),
    ("opset 9999", "nobody knows its operators"),
];

/// Output shapes that ONNX knows and this crate does not, each for a reason.
const WEAKER: &[(&str, &str)] = &[
    ("NonZero at 11, input 0 as a scalar", "ONNX says 0 axes, runtimes treat a scalar as a vector of one"),
    ("NonZero at 13, input 0 as a scalar", "ONNX says 0 axes, runtimes treat a scalar as a vector of one"),
];

#[test]
fn verdicts_are_those_of_onnx() {
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        let known = STRICTER.iter().find(|(name, _)| *name == case.name);
        match (case.verdict, refusal(case), known) {
            (Verdict::Valid, Some(reason), None) => wrong.push(format!("refused: {}: {reason}", case.name)),
            (_, None, Some(_)) => wrong.push(format!("no longer refused: {}", case.name)),
            (Verdict::Broken, None, None) => wrong.push(format!("passed: {}: {}", case.name, case.about)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} verdicts differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Not a mark to be proud of, but one to keep: contradictions that ONNX's checker leaves to the runtime.
#[test]
fn most_of_what_only_the_runtime_refuses_is_refused_here_too() {
    let cases = cases();
    let fails: Vec<_> = cases.iter().filter(|case| case.verdict == Verdict::Fails).collect();
    let found = fails.iter().filter(|case| refusal(case).is_some()).count();
    let missed =
        fails.iter().filter(|case| refusal(case).is_none()).map(|case| format!("{}: {}", case.name, case.about));
    let missed: Vec<_> = missed.collect();
    assert!(found * 10 >= fails.len() * 7, "{found} of {}, not:\n{}", fails.len(), missed.join("\n"));
}

#[test]
fn shapes_are_those_of_onnx() {
    let mut wrong = Vec::new();
    // In the graphs with a name of their own, outputs are declared and not inferred.
    let operators = |case: &&Case| case.verdict == Verdict::Valid && case.name.contains(" at ");
    for case in cases().iter().filter(operators) {
        let Ok(mut model) = Model::decode(case.bytes) else { continue };
        // What the model says of its outputs is ONNX's answer; only ours shall count.
        for output in &mut model.graph.outputs {
            if let Some(ty) = &mut output.ty {
                ty.shape = ty.shape.as_ref().map(|shape| vec![Dim::Unknown; shape.len()]);
            }
        }
        let Ok(types) = model.check() else { continue };
        for output in &model.graph.outputs {
            let Some(ours) = types.get(&output.name) else { continue };
            let theirs = case.about.split("; ").find_map(|text| text.strip_prefix(&format!("{} ", output.name)));
            let Some((dtype, dims)) = theirs.and_then(|text| text.strip_suffix(']')?.split_once('[')) else { continue };
            let dims: Vec<&str> = dims.split(", ").filter(|dim| !dim.is_empty()).collect();
            let shape = ours.shape.clone().unwrap_or_default();
            let same = |(ours, theirs): (&Dim, &&str)| *theirs == "?" || ours.to_string() == **theirs;
            let agrees = DataType::from_name(dtype) == Some(ours.dtype)
                && shape.len() == dims.len()
                && shape.iter().zip(&dims).all(same);
            if agrees == WEAKER.iter().any(|(name, _)| *name == case.name) {
                wrong.push(format!("{}: {} is {ours}, ONNX says {dtype}{dims:?}", case.name, output.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} shapes differ:\n{}", wrong.len(), wrong.join("\n"));
}
