//! Where ONNX Runtime ran the nodes of a network, from the profile that the runtime writes itself.
//!
//! The profile is a JSON list of events. The event of a node's computation has the category `Node`, a name that ends in
//! `_kernel_time`, a duration in microseconds, and among its arguments the provider and the operator.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::engine::{Placement, PlacementPart};

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "cat", default)]
    category: String,
    #[serde(default)]
    name: String,
    #[serde(rename = "dur", default)]
    microseconds: f64,
    #[serde(default)]
    args: Arguments,
}

#[derive(Deserialize, Default)]
struct Arguments {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    op_name: String,
}

/// What one provider ran.
#[derive(Default)]
struct Share {
    /// The nodes by name, with their operators.
    nodes: BTreeMap<String, String>,
    microseconds: f64,
}

/// Reads the profile of one or more runs.
///
/// # Errors
/// When the text is not a list of events.
pub fn from_profile(text: &str) -> Result<Placement, serde_json::Error> {
    let events: Vec<Event> = serde_json::from_str(text)?;
    let mut shares: BTreeMap<String, Share> = BTreeMap::new();
    for event in events {
        let Some(node) = event.name.strip_suffix("_kernel_time") else { continue };
        if event.category != "Node" {
            continue;
        }
        let provider = match event.args.provider.is_empty() {
            true => "unnamed".to_owned(),
            false => event.args.provider,
        };
        let share = shares.entry(provider).or_default();
        share.microseconds += event.microseconds;
        share.nodes.insert(node.to_owned(), event.args.op_name);
    }
    let nodes: usize = shares.values().map(|share| share.nodes.len()).sum();
    let microseconds: f64 = shares.values().map(|share| share.microseconds).sum();
    let mut parts: Vec<PlacementPart> = shares
        .into_iter()
        .map(|(provider, share)| PlacementPart {
            provider,
            nodes: share.nodes.len(),
            node_share: ratio(share.nodes.len() as f64, nodes as f64),
            time_share: ratio(share.microseconds, microseconds),
            node_names: share.nodes.into_iter().map(|(name, operator)| format!("{name} ({operator})")).collect(),
        })
        .collect();
    parts.sort_by(|a, b| b.time_share.total_cmp(&a.time_share));
    Ok(Placement { parts })
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The form of the events is that of a profile of ONNX Runtime 1.32; the figures are made up.
    const PROFILE: &str = r#"[
        {"cat" : "Session","pid" :1,"tid" :1,"dur" :900,"ts" :1,"ph" : "X","name" :"model_loading_uri","args" : {}},
        {"cat" : "Node","pid" :1,"tid" :1,"dur" :0,"ts" :2,"ph" : "X","name" :"a_fence_before","args" : {"op_name" : "Conv"}},
        {"cat" : "Node","pid" :1,"tid" :1,"dur" :30,"ts" :2,"ph" : "X","name" :"a_kernel_time",
         "args" : {"op_name" : "Conv","provider" : "OpenVINOExecutionProvider","node_index" : "1"}},
        {"cat" : "Node","pid" :1,"tid" :1,"dur" :30,"ts" :2,"ph" : "X","name" :"a_kernel_time",
         "args" : {"op_name" : "Conv","provider" : "OpenVINOExecutionProvider","node_index" : "1"}},
        {"cat" : "Node","pid" :1,"tid" :1,"dur" :20,"ts" :2,"ph" : "X","name" :"b_kernel_time",
         "args" : {"op_name" : "Relu","provider" : "CPUExecutionProvider","node_index" : "2"}}
    ]"#;

    #[test]
    fn nodes_and_time_are_shared_out_among_the_providers() {
        let placement = from_profile(PROFILE).unwrap();
        let parts: Vec<_> = placement.parts.iter().map(|part| (&*part.provider, part.nodes, part.time_share)).collect();
        assert_eq!(parts, [("OpenVINOExecutionProvider", 1, 0.75), ("CPUExecutionProvider", 1, 0.25)]);
        assert_eq!(placement.parts[1].node_names, ["b (Relu)"]);
        assert_eq!(placement.parts[0].node_share, 0.5);
    }

    #[test]
    fn a_profile_without_nodes_places_nothing() {
        assert!(from_profile("[]").unwrap().parts.is_empty());
        assert!(from_profile("{").is_err());
    }
}
