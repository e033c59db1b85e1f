//! How many nodes must stay in float for the result to be good enough, and which.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use evaluation::quantised::fidelity::{Comparison, Metric};

/// A node and the harm that it does alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Harm {
    /// The node: the name of its first output.
    pub node: String,
    /// The operator.
    pub operator: String,
    /// The noise in the outputs, as a share of the signal, when this node alone is quantised.
    pub noise: f64,
}

/// A point of the trade-off.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// How many nodes stay in float, the most harmful ones.
    pub in_float: usize,
    /// How the result compares.
    pub comparison: Comparison,
    /// What is lost of the metric.
    pub drop: f64,
    /// The time as a share of the float model's, where it was measured.
    pub time_share: Option<f64>,
    /// Bytes of the model.
    pub bytes: u64,
}

/// What came of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The nodes that stay in float.
    pub in_float: BTreeSet<String>,
    /// Whether the drop is small enough.
    pub holds: bool,
    /// The points that were measured, by the number of nodes in float.
    pub curve: Vec<Point>,
}

/// Finds the fewest nodes, from the most harmful one on, that must stay in float for the drop to be at most `most`: first doubling their
/// number and then halving the gap. `measure` makes and measures the model in which these nodes are in float.
///
/// At least one node stays quantised: all in float would be the float model. If the gate cannot be met, the point with the least
/// drop is given, the first of several.
///
/// # Errors
/// Those of `measure`.
pub fn search<E>(
    harms: &[Harm],
    metric: Metric,
    most: f64,
    mut measure: impl FnMut(&BTreeSet<String>) -> Result<Point, E>,
) -> Result<Found, E> {
    let chosen = |count: usize| harms.iter().take(count).map(|harm| harm.node.clone()).collect::<BTreeSet<_>>();
    let last = harms.len().saturating_sub(1);
    let mut curve: Vec<Point> = Vec::new();
    let mut try_count = |count: usize, curve: &mut Vec<Point>| -> Result<bool, E> {
        let point = measure(&chosen(count))?;
        let holds = point.comparison.drop(metric) <= most;
        curve.push(point);
        Ok(holds)
    };
    let (mut failing, mut holding) = (None, None);
    let mut count = 0;
    loop {
        match try_count(count, &mut curve)? {
            true => {
                holding = Some(count);
                break;
            }
            false => failing = Some(count),
        }
        if count >= last {
            break;
        }
        count = (count * 2).max(1).min(last);
    }
    while let (Some(below), Some(above)) = (failing, holding) {
        if above - below <= 1 {
            break;
        }
        let middle = below.midpoint(above);
        match try_count(middle, &mut curve)? {
            true => holding = Some(middle),
            false => failing = Some(middle),
        }
    }
    curve.sort_by_key(|point| point.in_float);
    let best = || {
        let least =
            |one: &&Point, other: &&Point| one.drop.total_cmp(&other.drop).then(one.in_float.cmp(&other.in_float));
        curve.iter().min_by(least).map_or(0, |point| point.in_float)
    };
    Ok(Found { in_float: chosen(holding.unwrap_or_else(best)), holds: holding.is_some(), curve })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn harms(count: usize) -> Vec<Harm> {
        (0..count)
            .map(|index| Harm {
                node: format!("n{index:02}"),
                operator: "Conv".to_owned(),
                noise: 1.0 / (index + 1) as f64,
            })
            .collect()
    }

    /// A search where the cosine lost is `drop(nodes in float)`; also which numbers were measured.
    fn searched(count: usize, most: f64, drop: impl Fn(usize) -> f64) -> (Found, Vec<usize>) {
        let mut measured = Vec::new();
        let found = search(&harms(count), Metric::Cosine, most, |in_float| {
            measured.push(in_float.len());
            let mut comparison = Comparison::default();
            (comparison.items, comparison.cosine) = (1, 1.0 - drop(in_float.len()));
            let drop = comparison.drop(Metric::Cosine);
            Ok::<_, ()>(Point { in_float: in_float.len(), comparison, drop, time_share: None, bytes: 0 })
        });
        (found.unwrap(), measured)
    }

    #[test]
    fn the_fewest_nodes_go_back_to_float() {
        let (found, measured) = searched(20, 0.1, |count| if count < 6 { 0.5 } else { 0.05 });
        assert!(found.holds);
        assert_eq!(found.in_float, harms(6).into_iter().map(|harm| harm.node).collect());
        assert_eq!(measured, [0, 1, 2, 4, 8, 6, 5]);
        assert!(found.curve.is_sorted_by_key(|point| point.in_float));
        let (found, measured) = searched(20, 0.1, |_| 0.0);
        assert!(found.holds && found.in_float.is_empty());
        assert_eq!(measured, [0]);
    }

    #[test]
    fn a_gate_that_cannot_be_met_gives_the_best() {
        let (found, measured) = searched(5, 0.1, |count| if count == 2 { 0.3 } else { 0.6 });
        assert!(!found.holds);
        assert_eq!((found.in_float.len(), measured), (2, vec![0, 1, 2, 4]));
        assert!(!searched(1, 0.1, |_| 0.6).0.holds);
    }
}
