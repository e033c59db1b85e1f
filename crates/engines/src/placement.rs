//! Where ONNX Runtime ran the nodes of a network, from the profile that the runtime writes itself.
//!
//! The profile is a JSON list of events. The event of a node's computation has the category `Node`, a name that ends in
//! `_kernel_time`, a duration in microseconds, and among its arguments the provider and the operator.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::engine::{IntegerShare, Placement, PlacementPart};

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
    /// A shape for each input, under the name of its element type.
    #[serde(default, rename = "input_type_shape")]
    inputs: Vec<BTreeMap<String, IgnoredAny>>,
    #[serde(default, rename = "output_type_shape")]
    outputs: Vec<BTreeMap<String, IgnoredAny>>,
}

impl Arguments {
    /// Whether one of its inputs or outputs is integers of 8 bits.
    fn has_bytes(&self) -> bool {
        let types = || self.inputs.iter().chain(&self.outputs).flat_map(BTreeMap::keys);
        types().any(|name| BYTES.contains(&name.as_str()))
    }
}

/// The element types of 8 bits, by the runtime's names.
const BYTES: [&str; 2] = ["uint8", "int8"];

/// The operators that make integers of floats, or floats of integers, and do nothing else.
const CONVERSIONS: [&str; 4] = ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast"];

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
    let (mut integers, mut conversions) = (Share::default(), Share::default());
    for event in events {
        let Some(node) = event.name.strip_suffix("_kernel_time") else { continue };
        if event.category != "Node" {
            continue;
        }
        if event.args.has_bytes() {
            let share = if CONVERSIONS.contains(&&*event.args.op_name) { &mut conversions } else { &mut integers };
            share.microseconds += event.microseconds;
            share.nodes.insert(node.to_owned(), event.args.op_name.clone());
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
    let mut operators: BTreeMap<String, usize> = BTreeMap::new();
    integers.nodes.values().for_each(|operator| *operators.entry(operator.clone()).or_default() += 1);
    let found = IntegerShare {
        nodes: integers.nodes.len(),
        of: nodes,
        time_share: ratio(integers.microseconds, microseconds),
        conversions: conversions.nodes.len(),
        conversion_time_share: ratio(conversions.microseconds, microseconds),
        operators,
    };
    Ok(Placement { parts, integers: (found.nodes + found.conversions > 0).then_some(found) })
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

    /// The form of the types is that of a profile of ONNX Runtime 1.32 on a quantised convolution; the figures are made up.
    #[test]
    fn what_ran_in_integers_is_told_by_the_types() {
        let profile = r#"[
            {"cat":"Node","dur":10,"name":"x_quantize_kernel_time","args":{"op_name":"QuantizeLinear","provider":"CPUExecutionProvider",
             "input_type_shape":[{"float":[1,3,8,8]},{"float":[]},{"uint8":[]}],"output_type_shape":[{"uint8":[1,3,8,8]}]}},
            {"cat":"Node","dur":70,"name":"c_kernel_time","args":{"op_name":"QLinearConv","provider":"CPUExecutionProvider",
             "input_type_shape":[{"uint8":[1,8,8,3]},{"float":[]},{"uint8":[]},{"int8":[4,3,3,3]}],"output_type_shape":[{"uint8":[1,6,6,4]}]}},
            {"cat":"Node","dur":20,"name":"s_kernel_time","args":{"op_name":"Softmax","provider":"CPUExecutionProvider",
             "input_type_shape":[{"float":[1,4]}],"output_type_shape":[{"float":[1,4]}]}}
        ]"#;
        let found = from_profile(profile).unwrap().integers.unwrap();
        assert_eq!((found.nodes, found.of, found.conversions), (1, 3, 1));
        assert_eq!((found.time_share, found.conversion_time_share), (0.7, 0.1));
        assert_eq!(found.operators, [("QLinearConv".to_owned(), 1)].into());
        assert_eq!(from_profile(PROFILE).unwrap().integers, None);
    }

    #[test]
    fn a_profile_without_nodes_places_nothing() {
        assert!(from_profile("[]").unwrap().parts.is_empty());
        assert!(from_profile("{").is_err());
    }
}
