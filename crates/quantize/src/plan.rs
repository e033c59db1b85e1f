//! Which nodes are to compute with integers, and which values pass between them as bytes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use onnx_model::{Model, Node};

use crate::graph::{Use, Uses, constants, float_input, id};
use crate::range::Range;
use crate::writer::Format;

/// What a node becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A convolution.
    Conv,
    /// A product with a constant matrix and perhaps a bias: `Gemm`.
    Gemm,
    /// A product with a constant matrix: `MatMul`.
    MatMul,
    /// The sum of two values.
    Add,
    /// A mean over a window, or over all of a picture.
    AveragePool,
    /// Values one beside the other.
    Concat,
}

/// A node that is to compute with integers.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// What it becomes.
    pub kind: Kind,
    /// The positions of the inputs that are no constants.
    pub activations: Vec<usize>,
    /// The value that stands for its result: that of the last node that it takes in.
    pub output: String,
    /// The nodes behind it that it takes in: a bias, and a bound that its steps keep by themselves.
    pub absorbed: Vec<usize>,
    /// The constant that is added, where a node of its own does it.
    pub bias: Option<String>,
    /// The bounds that it keeps for the nodes that it takes in.
    pub bounds: Option<(f32, f32)>,
    /// Whether the result is bytes; floats otherwise.
    pub gives_bytes: bool,
}

/// The plan for a graph.
#[derive(Debug, Default)]
pub struct Plan {
    /// The nodes, by their place in the graph.
    pub sites: BTreeMap<usize, Site>,
    /// Nodes that hand bytes on where they get some and others want them.
    pub passing: BTreeSet<usize>,
    /// The places where a pool takes bytes whoever uses its result.
    pub pools: BTreeSet<usize>,
}

/// Nodes that move values and compute nothing, of which ONNX Runtime has kernels for bytes at every opset.
const PASSING: [&str; 6] = ["Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice"];

/// The opset at which MaxPool takes bytes.
pub const BYTE_POOL: i64 = 12;

impl Plan {
    /// What can be quantised of a model, but for the nodes that `skip` names by their ids. A format with integer operators has a pool of
    /// bytes for models in which MaxPool takes none.
    pub fn of(model: &Model, skip: &BTreeSet<String>, format: Format) -> Self {
        let graph = &model.graph;
        let (uses, constants) = (Uses::of(graph), constants(graph));
        let mut plan = Self::default();
        // The values that come out of integer kernels.
        let mut bytes: HashSet<&str> = HashSet::new();
        let mut taken: HashSet<usize> = HashSet::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let is_constant = |name: &String| name.is_empty() || constants.contains_key(name.as_str());
            let first_is_bytes = node.inputs.first().is_some_and(|input| bytes.contains(input.as_str()));
            if taken.contains(&index) || !node.is_own() {
                continue;
            }
            if PASSING.contains(&node.op_type.as_str()) || node.op_type == "MaxPool" {
                if first_is_bytes {
                    bytes.insert(id(node));
                }
                plan.passing.insert(index);
                let pools =
                    node.op_type == "MaxPool" && node.outputs.iter().skip(1).all(|output| uses.get(output).is_empty());
                let has_kernel = model.opset() >= Some(BYTE_POOL)
                    || (format == Format::QOperator && node.ints("kernel_shape").is_some_and(|shape| shape.len() == 2));
                if pools && has_kernel {
                    plan.pools.insert(index);
                } else if node.op_type == "MaxPool" {
                    plan.passing.remove(&index);
                }
                continue;
            }
            let Some(kind) = kind(node) else { continue };
            let activations: Vec<usize> = match kind {
                Kind::Conv | Kind::Gemm | Kind::MatMul | Kind::AveragePool => vec![0],
                Kind::Add | Kind::Concat => (0..node.inputs.len()).collect(),
            };
            let varies = |position: &usize| node.inputs.get(*position).is_some_and(|name| !is_constant(name));
            let from_bytes =
                |position: &usize| node.inputs.get(*position).is_some_and(|name| bytes.contains(name.as_str()));
            let fits = match kind {
                Kind::Conv => {
                    float_input(&constants, node, 1).is_some_and(|weight| weight.dims.len() >= 3)
                        && (node.inputs.get(2).is_none_or(String::is_empty)
                            || float_input(&constants, node, 2).is_some())
                }
                Kind::Gemm => fits_gemm(node, |position| {
                    float_input(&constants, node, position).map(|tensor| tensor.dims.as_slice())
                }),
                Kind::MatMul => float_input(&constants, node, 1).is_some_and(|weight| weight.dims.len() == 2),
                // The integer kernel knows no dilations, which came with opset 19.
                Kind::AveragePool => from_bytes(&0) && !node.attributes.contains_key("dilations"),
                Kind::Add => activations.iter().any(from_bytes),
                Kind::Concat => activations.iter().all(from_bytes),
            };
            if !fits || !activations.iter().all(varies) || skip.contains(id(node)) {
                continue;
            }
            let mut site = Site {
                kind,
                activations,
                output: id(node).to_owned(),
                absorbed: Vec::new(),
                bias: None,
                bounds: None,
                gives_bytes: !matches!(kind, Kind::Gemm | Kind::MatMul),
            };
            if kind == Kind::MatMul {
                absorb_bias(&mut site, model, &uses, &constants);
            }
            if !matches!(kind, Kind::Concat | Kind::AveragePool) {
                absorb_bounds(&mut site, model, &uses, &constants);
            }
            taken.extend(&site.absorbed);
            if let Some(last) =
                site.absorbed.last().and_then(|last| graph.nodes.get(*last)).or(Some(node)).filter(|_| site.gives_bytes)
            {
                bytes.insert(id(last));
            }
            plan.sites.insert(index, site);
        }
        plan.settle(model, &uses);
        plan
    }

    /// Decides, from the last node to the first, which values pass as bytes.
    fn settle(&mut self, model: &Model, uses: &Uses) {
        let graph = &model.graph;
        for (index, node) in graph.nodes.iter().enumerate().rev() {
            if self.passing.contains(&index) && !self.pools.contains(&index) && !self.wants_bytes(uses, id(node)) {
                self.passing.remove(&index);
            }
            let Some(site) = self.sites.get(&index).filter(|site| !site.gives_bytes) else { continue };
            let (output, kind, has_bias) = (site.output.clone(), site.kind, site.bias.is_some());
            // A product that adds a bias gives floats: there is no integer kernel that does both.
            let can = kind == Kind::Gemm || !has_bias;
            let all = !uses.get(&output).is_empty() && uses.get(&output).iter().all(|place| self.takes_bytes(*place));
            let Some(site) = self.sites.get_mut(&index) else { continue };
            if can && all {
                site.gives_bytes = true;
            } else if site.bounds.take().is_some() {
                // Its result is floats, and the bound stays a node of its own.
                site.absorbed.pop();
                let last = site.absorbed.last().copied().unwrap_or(index);
                site.output = graph.nodes.get(last).map(|node| id(node).to_owned()).unwrap_or_default();
            }
        }
    }

    fn wants_bytes(&self, uses: &Uses, value: &str) -> bool {
        uses.get(value).iter().any(|place| self.takes_bytes(*place))
    }

    fn takes_bytes(&self, place: Use) -> bool {
        match place {
            Use::Input(node, position) => match self.sites.get(&node) {
                Some(site) => site.activations.contains(&position),
                None => position == 0 && self.passing.contains(&node),
            },
            Use::Inside(_) | Use::Output => false,
        }
    }

    /// The nodes that others have taken in.
    pub fn absorbed(&self) -> HashSet<usize> {
        self.sites.values().flat_map(|site| &site.absorbed).copied().collect()
    }

    /// The values whose ranges the plan needs.
    pub fn values(&self, model: &Model) -> BTreeSet<String> {
        let mut values = BTreeSet::new();
        for (index, site) in &self.sites {
            let Some(node) = model.graph.nodes.get(*index) else { continue };
            values.extend(site.activations.iter().filter_map(|position| node.inputs.get(*position)).cloned());
            values.extend(site.gives_bytes.then(|| site.output.clone()));
        }
        values
    }
}

impl Site {
    /// A range cut to what the nodes that it takes in let through.
    pub fn bounded(&self, range: Range) -> Range {
        match self.bounds {
            Some((min, max)) => range.within(min, max),
            None => range,
        }
    }
}

fn kind(node: &Node) -> Option<Kind> {
    Some(match node.op_type.as_str() {
        "Conv" => Kind::Conv,
        "Gemm" => Kind::Gemm,
        "MatMul" => Kind::MatMul,
        "Add" => Kind::Add,
        "AveragePool" | "GlobalAveragePool" => Kind::AveragePool,
        "Concat" => Kind::Concat,
        _ => return None,
    })
}

fn fits_gemm<'a>(node: &Node, dims: impl Fn(usize) -> Option<&'a [u64]>) -> bool {
    let one = |name| node.float(name).unwrap_or(1.0) == 1.0;
    let Some([rows, columns]) = dims(1) else { return false };
    let width = if node.int("transB").unwrap_or(0) == 0 { columns } else { rows };
    let bias = match node.inputs.get(2).filter(|name| !name.is_empty()) {
        None => true,
        Some(_) => dims(2).is_some_and(|dims| dims.iter().product::<u64>() == *width && dims.last() == Some(width)),
    };
    bias && one("alpha") && one("beta") && node.int("transA").unwrap_or(0) == 0
}

type Constants<'a> = std::collections::HashMap<&'a str, &'a onnx_model::Tensor>;

/// The addition of a constant vector behind a product.
fn absorb_bias(site: &mut Site, model: &Model, uses: &Uses, constants: &Constants<'_>) {
    let Some(next) = uses.only(&site.output) else { return };
    let Some(node) = model.graph.nodes.get(next).filter(|node| node.op_type == "Add" && node.is_own()) else { return };
    let Some(product) = model.graph.nodes.iter().find(|node| id(node) == site.output) else { return };
    let width = float_input(constants, product, 1).and_then(|weight| weight.dims.last().copied());
    for position in 0..2 {
        let fits = float_input(constants, node, position)
            .is_some_and(|bias| bias.dims.len() == 1 && bias.dims.first().copied() == width);
        if fits {
            site.bias = node.inputs.get(position).cloned();
            site.absorbed.push(next);
            id(node).clone_into(&mut site.output);
            return;
        }
    }
}

/// The bound behind a node, if the steps of a range keep it by themselves. Zero is in every range, so that a bound above it, or a
/// highest value below it, would be lost.
fn absorb_bounds(site: &mut Site, model: &Model, uses: &Uses, constants: &Constants<'_>) {
    let Some(next) = uses.only(&site.output) else { return };
    let Some(node) = model.graph.nodes.get(next).filter(|node| node.is_own()) else { return };
    let bound = |position: usize, absent: f32| match node.inputs.get(position).filter(|name| !name.is_empty()) {
        None => Some(absent),
        Some(_) => float_input(constants, node, position)?.to_vec::<f32>().ok()?.first().copied(),
    };
    let bounds = match node.op_type.as_str() {
        "Relu" => Some((0.0, f32::INFINITY)),
        "Clip" => bound(1, f32::NEG_INFINITY).zip(bound(2, f32::INFINITY)),
        _ => None,
    };
    if let Some((min, max)) =
        bounds.filter(|(min, max)| *min <= 0.0 && *max >= 0.0 && node.inputs.first() == Some(&site.output))
    {
        site.bounds = Some((min, max));
        site.absorbed.push(next);
        id(node).clone_into(&mut site.output);
    }
}
