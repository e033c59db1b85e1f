//! What the file says about the sizes for which it was proven.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::axis::DynamicAxis;

/// The key of the entry in the file's metadata.
const KEY: &str = "burn_export.axes";

/// The entry of a file with dynamic axes: a JSON object of their names, each with the ends of its range, `lowest` and
/// `highest` (left out where it has none), its factor `multiple_of`, and the sizes `tried` at which `forward` was recorded, in
/// ascending order.
pub(crate) fn entry(axes: &[DynamicAxis], tried: &[Vec<i64>]) -> Option<(String, String)> {
    let describe = |(position, axis): (usize, &DynamicAxis)| {
        let sizes: BTreeSet<i64> = tried.iter().filter_map(|sizes| sizes.get(position)).copied().collect();
        let mut about = json!({ "lowest": axis.lowest, "multiple_of": axis.multiple_of, "tried": sizes });
        if axis.highest < usize::MAX {
            about["highest"] = axis.highest.into();
        }
        (axis.name.clone(), about)
    };
    let about: Map<String, Value> = axes.iter().enumerate().map(describe).collect();
    (!about.is_empty()).then(|| (KEY.to_string(), Value::Object(about).to_string()))
}
