//! Towards the graph that an expert would write.
//!
//! Every rule keeps what the graph computes, for every size of the axes. Most keep its bits; those that give weights another form
//! or let one operator do the work of several keep it up to rounding. The rules run in turn until none of them finds anything.

mod activations;
mod batch_norm;
mod blocks;
mod broadcasting;
mod constants;
mod directions;
mod joining;
mod linear;
mod no_ops;
mod norms;
mod padding;
mod pattern;
mod sharing;
mod tying;

use std::collections::{BTreeMap, HashSet};

use crate::graph::Graph;

/// A rule: how many places it changed.
type Rule = fn(&mut Graph) -> usize;

const RULES: [(&str, Rule); 10] = [
    ("no-ops removed", no_ops::remove_no_ops),
    ("moves merged", no_ops::merge_moves),
    ("expansions left to broadcasting", broadcasting::drop_expansions),
    ("leading ones dropped", broadcasting::drop_leading_ones),
    ("constants folded", constants::fold),
    ("linear layers restored", linear::restore_batched),
    ("linear layers restored", linear::unfold_early),
    ("shared work shared", sharing::share),
    ("dead nodes removed", remove_dead),
    ("no-ops removed", no_ops::remove_no_ops),
];

/// Rules for the end, whose results the others would not recognise.
const LAST: [(&str, Rule); 13] = [
    ("weights joined", joining::join_weights),
    ("constants folded", constants::fold),
    ("directions joined", directions::join_directions),
    ("weights joined", joining::join_weights),
    ("padding folded", padding::fold_padding),
    ("activations named", activations::name_activations),
    ("normalisations named", norms::name_norms),
    ("DepthToSpace formed", blocks::form_blocks),
    ("Gemm formed", linear::form_gemm),
    ("Flatten formed", no_ops::form_flatten),
    ("shared work shared", sharing::share),
    ("dead nodes removed", remove_dead),
    ("tied weights stored once", tying::store_once),
];

/// A rule that changes weights, and with them the last digits of the results.
const FOLD: [(&str, Rule); 2] =
    [("batch norms folded", batch_norm::fold_batch_norm), ("dead nodes removed", remove_dead)];

/// Applies every rule until nothing changes; says how often each was applied. Normalisations become part of the weights in
/// front of them where `fold` says so.
pub(crate) fn simplify(graph: &mut Graph, fold: bool) -> BTreeMap<&'static str, usize> {
    let mut applied = settle(graph);
    run(graph, &LAST, &mut applied);
    if fold {
        run(graph, &FOLD, &mut applied);
    }
    applied
}

/// Applies the rules that lead to one form of the same computation, without those for the end.
pub(crate) fn settle(graph: &mut Graph) -> BTreeMap<&'static str, usize> {
    let mut applied = BTreeMap::new();
    // Every rule makes the graph smaller or moves a node one way only, so this ends.
    while run(graph, &RULES, &mut applied) > 0 {}
    applied
}

fn run(graph: &mut Graph, rules: &[(&'static str, Rule)], applied: &mut BTreeMap<&'static str, usize>) -> usize {
    let mut total = 0;
    for (name, rule) in rules {
        let count = rule(graph);
        if count > 0 {
            *applied.entry(*name).or_insert(0) += count;
            total += count;
        }
    }
    total
}

/// Removes nodes whose results nobody uses.
fn remove_dead(graph: &mut Graph) -> usize {
    let mut needed: HashSet<usize> = graph.outputs.iter().map(|value| value.0).collect();
    let before = graph.nodes.len();
    let mut kept = Vec::with_capacity(before);
    for node in std::mem::take(&mut graph.nodes).into_iter().rev() {
        if node.outputs.iter().any(|output| needed.contains(&output.0)) {
            needed.extend(node.values().map(|value| value.0));
            kept.push(node);
        }
    }
    kept.reverse();
    graph.nodes = kept;
    before - graph.nodes.len()
}
