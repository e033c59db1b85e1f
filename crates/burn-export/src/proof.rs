//! What the file says about the sizes for which it was proven.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::axis::DynamicAxis;

/// The key of the entry in the file's metadata.
const KEY: &str = "burn_export.axes";

/// The entry of a file with dynamic axes: a JSON object of their names, each with the ends of its range, `lowest` and
/// `highest` (left out where it has none), its factor `multiple_of`, and the sizes `tried` at which `forward` was recorded, in
/// ascending order.
pub(crate) fn entry(axes: &[DynamicAxis], tried: &[Vec<i64>]) -> Option<(String, String)> {
    let about = axes.iter().enumerate().map(|(position, axis)| (axis.name.as_str(), describe(position, axis, tried)));
    // In the order of the names, whatever order the library keeps.
    let about: BTreeMap<&str, BTreeMap<&str, Value>> = about.collect();
    let text = serde_json::to_string(&about).ok()?;
    (!about.is_empty()).then(|| (KEY.to_string(), text))
}

/// The sizes at which `forward` was recorded, from the metadata of a file.
#[cfg(feature = "verify")]
pub(crate) fn tried(metadata: &BTreeMap<String, String>) -> BTreeMap<String, BTreeSet<usize>> {
    let text = metadata.get(KEY).map_or("{}", String::as_str);
    let about: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(text).unwrap_or_default();
    let sizes = |about: BTreeMap<String, Value>| {
        let tried = about.get("tried").and_then(Value::as_array).into_iter().flatten();
        tried.filter_map(|size| usize::try_from(size.as_u64()?).ok()).collect()
    };
    about.into_iter().map(|(axis, about)| (axis, sizes(about))).collect()
}

fn describe(position: usize, axis: &DynamicAxis, tried: &[Vec<i64>]) -> BTreeMap<&'static str, Value> {
    let sizes: BTreeSet<i64> = tried.iter().filter_map(|sizes| sizes.get(position)).copied().collect();
    let ends = [("lowest", Some(axis.lowest)), ("highest", (axis.highest < usize::MAX).then_some(axis.highest))];
    let mut about: BTreeMap<&'static str, Value> =
        ends.into_iter().filter_map(|(name, size)| Some((name, size?.into()))).collect();
    about.insert("multiple_of", axis.multiple_of.into());
    about.insert("tried", sizes.into_iter().collect());
    about
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_factors_and_tried_sizes_are_told() {
        let axis = |name: &str, highest: usize, multiple_of: usize| DynamicAxis {
            name: name.to_string(),
            lowest: 2,
            highest,
            multiple_of,
        };
        let axes = [axis("width", 9, 3), axis("batch", usize::MAX, 1)];
        let tried = [vec![3, 2], vec![9, 2], vec![6, 7]];
        let text = entry(&axes, &tried).map(|(key, text)| format!("{key} = {text}")).unwrap_or_default();
        insta::assert_snapshot!(text, @r#"burn_export.axes = {"batch":{"lowest":2,"multiple_of":1,"tried":[2,7]},"width":{"highest":9,"lowest":2,"multiple_of":3,"tried":[3,6,9]}}"#);
        assert_eq!(entry(&[], &[]), None);
    }
}
