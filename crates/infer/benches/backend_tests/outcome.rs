//! What came of a test.

/// What came of a test, with the reason where there is one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The engine gives what the test says, and the evaluation passed.
    Passed,
    /// The engine gives something else, and the evaluation failed.
    FailedFairly(String),
    /// The engine gives what the test says, and the evaluation says that this proves nothing.
    NotProven(String),
    /// ONNX Runtime does not load or run the model.
    RefusedByTheRuntime(String),
    /// The evaluation does not take what the runtime runs.
    RefusedByKiln(String),
    /// The evaluation says something else than ONNX's own measure.
    WrongVerdict(String),
}

/// The kinds in the order of the table.
pub const KINDS: [&str; 6] =
    ["passed", "failed fairly", "not proven", "refused by the runtime", "refused by Kiln", "wrong verdict"];

impl Outcome {
    /// The kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::FailedFairly(_) => "failed fairly",
            Self::NotProven(_) => "not proven",
            Self::RefusedByTheRuntime(_) => "refused by the runtime",
            Self::RefusedByKiln(_) => "refused by Kiln",
            Self::WrongVerdict(_) => "wrong verdict",
        }
    }

    /// Why, without what is the test's own.
    pub fn reason(&self) -> &str {
        match self {
            Self::Passed => "",
            Self::FailedFairly(reason)
            | Self::NotProven(reason)
            | Self::RefusedByTheRuntime(reason)
            | Self::RefusedByKiln(reason)
            | Self::WrongVerdict(reason) => reason,
        }
    }
}
