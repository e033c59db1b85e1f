//! Names that occur once.

use std::collections::HashMap;

/// Hands out names.
pub(super) struct Names {
    values: HashMap<String, usize>,
    nodes: HashMap<String, usize>,
}

impl Names {
    /// The names that the caller chose are taken.
    pub(super) fn new<'a>(taken: impl Iterator<Item = &'a str>) -> Self {
        Self { values: taken.map(|name| (name.to_string(), 1)).collect(), nodes: HashMap::new() }
    }

    /// A value's name: the wish, or the wish with a number.
    pub(super) fn value(&mut self, wish: &str) -> String {
        unique(&mut self.values, wish)
    }

    /// A node's name: `/encoder/layers/0/MatMul_1`, as PyTorch writes it.
    pub(super) fn node(&mut self, path: &str, op: &str) -> String {
        let wish = if path.is_empty() { format!("/{op}") } else { format!("/{}/{op}", path.replace('.', "/")) };
        unique(&mut self.nodes, &wish)
    }
}

fn unique(taken: &mut HashMap<String, usize>, wish: &str) -> String {
    let mut name = wish.to_string();
    while taken.contains_key(&name) {
        let count = taken.entry(wish.to_string()).or_insert(1);
        name = format!("{wish}_{count}");
        *count += 1;
    }
    taken.insert(name.clone(), 1);
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_and_never_repeat() {
        let mut names = Names::new(["x", "x_1"].into_iter());
        assert_eq!(names.value("x"), "x_2");
        assert_eq!(names.value("y"), "y");
        assert_eq!(names.value("y"), "y_1");
        assert_eq!(names.node("encoder.layers.0", "MatMul"), "/encoder/layers/0/MatMul");
        assert_eq!(names.node("", "Relu"), "/Relu");
        assert_eq!(names.node("", "Relu"), "/Relu_1");
    }
}
