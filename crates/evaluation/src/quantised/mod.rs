//! Files that compute with 8-bit integers, judged as what they are.
//!
//! Rounding to 256 steps makes noise, by intention, and a value near the middle of two steps falls either way. So the limits of float32 say
//! nothing of such a file. What counts is how much it loses of a metric beside the float model that it was made from.

pub mod evaluate;
pub mod fidelity;
pub mod record;

use std::collections::BTreeMap;
use std::path::PathBuf;

use onnx_model::Survey;
use serde::{Deserialize, Serialize};
use terminal::plain::line;
use terminal::table::{Table, figure};

use crate::report::{EngineReport, Report};
use fidelity::{Comparison, Metric};

/// What a file of integers may lose unless the user or its report says otherwise.
pub const MAX_DROP: f64 = 0.01;

/// The operators of ONNX and of ONNX Runtime by which values become integers, or are computed with as such. A `DequantizeLinear` alone
/// only unpacks weights, which are then exact.
const OPERATORS: [&str; 9] = [
    "QuantizeLinear",
    "DynamicQuantizeLinear",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "DynamicQuantizeLSTM",
    "QGemm",
    "QAttention",
];

/// The beginnings of the names of further ones.
const FAMILIES: [&str; 2] = ["QLinear", "QOrdered"];

/// The operators that show that a model computes with integers, with how many there are of each; empty for one of floats.
pub fn operators(survey: &Survey) -> BTreeMap<String, u64> {
    let shows = |name: &str| {
        let operator = name.rsplit('.').next().unwrap_or(name);
        OPERATORS.contains(&operator) || FAMILIES.iter().any(|family| operator.starts_with(family))
    };
    survey.operators.iter().filter(|(name, _)| shows(name)).map(|(name, count)| (name.clone(), *count)).collect()
}

/// What a file of integers is judged by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The operators that show what it is.
    pub operators: BTreeMap<String, u64>,
    /// The float model that it was made from; `None` if there is none at hand, so that nothing can be judged.
    pub float: Option<PathBuf>,
    /// What a drop is one of.
    pub metric: Metric,
    /// The largest drop that is good enough.
    pub max_drop: f64,
    /// The models that were tried while the file was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
}

/// A model that was tried while a file was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// How many nodes stayed in float.
    pub in_float: usize,
    /// What it lost of the metric.
    pub drop: f64,
    /// Its time as a share of the float model's, where it was measured.
    pub time_share: Option<f64>,
}

/// How an engine does on a file of integers beside the float model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// The cases in order.
    pub cases: Vec<FidelityCase>,
    /// What is lost of the metric, from 0 to 1; `None` where nothing decides.
    pub drop: Option<f64>,
}

/// One set of inputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FidelityCase {
    /// What the inputs are.
    pub label: String,
    /// Whether the verdict depends on it: made-up inputs say nothing of a model whose ranges come from samples.
    pub decides: bool,
    /// The engine beside the float model.
    pub comparison: Comparison,
}

impl Budget {
    /// What holds if all engines pass, in a sentence without its full stop.
    pub fn criterion(&self) -> String {
        match &self.float {
            Some(float) => format!(
                "No engine loses more than {} of {} beside the float model {}",
                percent(self.max_drop),
                self.metric.words(),
                float.display()
            ),
            None => "The file computes with integers of 8 bits, which the limits of float32 do not suit".to_owned(),
        }
    }

    /// What an engine has lost too much of, in a sentence without its full stop.
    pub fn failed(&self, engine: &str, fidelity: &Fidelity) -> Option<String> {
        let drop = fidelity.drop.filter(|drop| self.float.is_some() && (drop.is_nan() || *drop > self.max_drop))?;
        Some(format!(
            "{engine} loses {} of {} beside the float model, and {} may be lost",
            percent(drop),
            self.metric.words(),
            percent(self.max_drop)
        ))
    }
}

/// A share in per cent, with as many digits as tell it from nothing.
fn percent(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        value if value < 0.01 => format!("{value:.1e} %"),
        value => format!("{} %", figure(value)),
    }
}

/// What stands above [`rows`].
pub const HEADINGS: [&str; 7] =
    ["engine", "inputs", "same largest output", "cosine", "signal to noise", "bits", "decides"];

/// How every engine did in every case.
pub fn rows(report: &Report) -> Vec<Vec<String>> {
    let row = |engine: &EngineReport, FidelityCase { label, decides, comparison }: &FidelityCase| {
        let Comparison { items, agreeing, cosine, .. } = comparison;
        vec![
            engine.row.engine.clone(),
            label.clone(),
            crate::report::out_of(*agreeing, *items),
            format!("{cosine:.5}"),
            match comparison.signal_to_noise() {
                exact if exact == f64::INFINITY => "no noise".to_owned(),
                decibels => format!("{decibels:.1} dB"),
            },
            match comparison.bits() {
                exact if exact == f64::INFINITY => "all".to_owned(),
                bits => format!("{bits:.1}"),
            },
            if *decides { "yes" } else { "no" }.to_owned(),
        ]
    };
    let found = report.engines.iter().filter_map(|engine| Some((engine, engine.fidelity.as_ref()?)));
    found.flat_map(|(engine, fidelity)| fidelity.cases.iter().map(move |case| row(engine, case))).collect()
}

/// What the rows are about.
pub fn caption(report: &Report) -> String {
    match report.quantised.as_ref().and_then(|budget| budget.float.as_ref()) {
        Some(float) => format!("Noise beside the float model {}", float.display()),
        None => format!("Noise beside {}", report.reference),
    }
}

/// What ran in integers under each engine, in sentences.
pub fn integers(report: &Report) -> Vec<String> {
    let told = report.engines.iter().filter_map(|engine| {
        let found = engine.row.placement.as_ref()?.integers.as_ref()?;
        let operators = found.operators.iter().map(|(operator, count)| format!("{count} {operator}"));
        Some(format!(
            "{}: {} of {} nodes ran in integers, with {:.0} % of the time ({}); {} more made bytes of floats or floats of bytes, with {:.0} %",
            engine.row.engine,
            found.nodes,
            found.of,
            100.0 * found.time_share,
            operators.collect::<Vec<_>>().join(", "),
            found.conversions,
            100.0 * found.conversion_time_share
        ))
    });
    told.collect()
}

/// All of it for the terminal.
pub fn text(report: &Report) -> Option<String> {
    report.quantised.as_ref()?;
    let mut table = Table::new(HEADINGS);
    rows(report).into_iter().for_each(|row| table.row(row));
    let integers: String = integers(report).iter().map(|told| line(format_args!("{told}."))).collect();
    Some(line(caption(report)) + &table.render() + &integers)
}

#[cfg(test)]
mod tests {
    use onnx_model::{DataType, Graph, Model, Node, ValueInfo};

    use super::*;

    fn shown(nodes: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.onnx");
        let mut graph = Graph::new("net").input(ValueInfo::new("x", DataType::F32, [4.into()]));
        for (index, operator) in nodes.iter().enumerate() {
            let (domain, operator) = operator.rsplit_once('.').unwrap_or(("", operator));
            graph = graph.node(Node::new(operator).domain(domain).input("x").output(format!("y{index}")));
        }
        std::fs::write(&path, Model::new(13, graph).encode().unwrap()).unwrap();
        operators(&Survey::of(&path).unwrap()).into_keys().collect()
    }

    #[test]
    fn operators_of_integers_are_recognised() {
        assert!(shown(&["Conv", "Relu", "DequantizeLinear"]).is_empty());
        assert_eq!(shown(&["Conv", "QuantizeLinear", "QLinearConv"]), ["QLinearConv", "QuantizeLinear"]);
        assert_eq!(shown(&["com.microsoft.QLinearAdd", "com.microsoft.QGemm", "MatMulInteger"]).len(), 3);
    }

    #[test]
    fn only_more_than_the_budget_fails() {
        let budget = |float| Budget {
            operators: BTreeMap::new(),
            float,
            metric: Metric::Cosine,
            max_drop: 0.01,
            tried: Vec::new(),
        };
        let (with, without) = (budget(Some("m.onnx".into())), budget(None));
        let fidelity = |drop| Fidelity { cases: Vec::new(), drop };
        assert_eq!(with.failed("ort:cpu", &fidelity(Some(0.01))), None);
        assert_eq!(with.failed("ort:cpu", &fidelity(None)), None);
        assert_eq!(without.failed("ort:cpu", &fidelity(Some(0.5))), None);
        assert_eq!(
            with.failed("ort:cpu", &fidelity(Some(0.25))).unwrap(),
            "ort:cpu loses 25.0 % of the cosine beside the float model, and 1.00 % may be lost"
        );
        assert!(with.failed("ort:cpu", &fidelity(Some(f64::NAN))).is_some());
    }
}
