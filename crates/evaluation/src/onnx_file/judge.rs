//! Engines judged on an ONNX file.

use terminal::failure::sentence;

use super::standard::{Standard, alternatives};
use crate::contender::Contender;
use crate::line_up::LineUp;
use crate::task::Case;
use crate::verify::{Expected, Verification};

/// How everyone did.
pub struct Judgement {
    /// The candidates, by what the reference gives.
    pub verifications: Vec<Option<Verification>>,
    /// Everyone, the reference first, by the outputs that the user knows to be right.
    pub given: Vec<Option<Verification>>,
}

/// Judges the candidates by what is `expected` and everyone by what is `given`. Where whole numbers or truth values differ, it is
/// found out what else they may be.
pub fn judge(
    standard: &Standard<'_>,
    line_up: &mut LineUp,
    expected: &mut Option<Expected>,
    given: &mut Option<Expected>,
    notes: &mut Vec<String>,
) -> Judgement {
    let mut found = judged(line_up, expected.as_ref(), given.as_ref());
    let mut cases: Vec<Case> = Vec::new();
    for (standards, verifications) in [(&*expected, &found.verifications), (&*given, &found.given)] {
        let Some(of) = standards else { continue };
        for label in of.undecided(verifications) {
            let inputs =
                of.inputs(&label).map(<[_]>::to_vec).filter(|_| cases.iter().all(|(known, _)| *known != label));
            cases.extend(inputs.map(|inputs| (label, inputs)));
        }
    }
    if cases.is_empty() {
        return found;
    }
    match alternatives(standard, &cases) {
        Ok(alternatives) if alternatives.is_empty() => {}
        Ok(alternatives) => {
            for (label, outputs) in &alternatives {
                [&mut *expected, &mut *given].into_iter().flatten().for_each(|one| one.consider(label, outputs));
            }
            found = judged(line_up, expected.as_ref(), given.as_ref());
        }
        Err(error) => notes.push(format!(
            "whole numbers and truth values that differ were not compared with what floats near them would give: {}",
            sentence(error.as_ref())
        )),
    }
    found
}

fn judged(line_up: &mut LineUp, expected: Option<&Expected>, given: Option<&Expected>) -> Judgement {
    let verifications = line_up.judge(expected);
    let by = |contender: &mut Contender| given.and_then(|given| contender.attempt(|engine| given.judge(engine)));
    Judgement { verifications, given: line_up.everyone().into_iter().map(by).collect() }
}
