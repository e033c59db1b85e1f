//! Writes the graph of a plan, in either format.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use onnx_model::{Graph, Model, Node, Tensor};

use crate::arithmetic::{Steps, WeightBits, bias, least_scales, weight};
use crate::error::QuantizeError;
use crate::graph::{captured, constants, drop_unused, id};
use crate::integers::{Integers, finite};
use crate::plan::{BYTE_POOL, Kind, Plan, Site};
use crate::products::{Layout, Matrix, Products};
use crate::range::Range;

/// How integers stand in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Operators of floats between pairs of QuantizeLinear and DequantizeLinear, which a runtime makes integer kernels of.
    Qdq,
    /// Operators of integers: ONNX's own, and those of ONNX Runtime (`com.microsoft`) where ONNX has none.
    QOperator,
}

/// How weights become integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightOptions {
    /// A scale for each output channel, or one for all.
    pub per_channel: bool,
    /// Their bits.
    pub bits: WeightBits,
}

/// ONNX Runtime's own operators.
pub const MICROSOFT: &str = "com.microsoft";

/// The ranges of values by their names.
pub type Ranges = BTreeMap<String, Range>;

/// A value that is there as bytes.
#[derive(Debug, Clone)]
struct Bytes {
    name: String,
    scale: String,
    zero_point: String,
    steps: Steps,
}

struct Writer<'a> {
    constants: HashMap<&'a str, &'a Tensor>,
    ranges: &'a Ranges,
    products: &'a Products,
    format: Format,
    opset: i64,
    weights: WeightOptions,
    nodes: Vec<Node>,
    made: Vec<Tensor>,
    bytes: HashMap<String, Bytes>,
    /// Values that are there as floats.
    floats: HashSet<String>,
    /// Values that are bytes behind a DequantizeLinear, by the name of the floats.
    restored: HashMap<String, String>,
    taken: HashSet<String>,
}

/// The model by a plan.
///
/// # Errors
/// When a range is missing, or a weight is not finite.
pub fn write(
    model: &Model,
    plan: &Plan,
    ranges: &Ranges,
    products: &Products,
    format: Format,
    weights: WeightOptions,
) -> Result<Model, QuantizeError> {
    let graph = &model.graph;
    let mut taken: HashSet<String> = captured(graph);
    taken.extend(graph.nodes.iter().flat_map(|node| &node.outputs).cloned());
    taken.extend(graph.initializers.iter().map(|tensor| tensor.name.clone()));
    let floats = graph.inputs.iter().map(|input| input.name.clone());
    let mut writer = Writer {
        constants: constants(graph),
        ranges,
        products,
        format,
        opset: model.opset().unwrap_or(0),
        weights,
        nodes: Vec::new(),
        made: Vec::new(),
        bytes: HashMap::new(),
        floats: floats.chain(graph.initializers.iter().map(|tensor| tensor.name.clone())).collect(),
        restored: HashMap::new(),
        taken,
    };
    let absorbed = plan.absorbed();
    for (index, node) in graph.nodes.iter().enumerate().filter(|(index, _)| !absorbed.contains(index)) {
        let carried = node.inputs.first().is_some_and(|input| writer.bytes.contains_key(input));
        match plan.sites.get(&index) {
            Some(site) => writer.site(node, site)?,
            None if plan.passing.contains(&index) && carried => writer.pass(node),
            None => writer.float(node),
        }
    }
    for output in &graph.outputs {
        writer.need_floats(&output.name);
    }
    let Writer { nodes, made, .. } = writer;
    let mut written = Model { graph: Graph { nodes, ..graph.clone() }, ..model.clone() };
    written.graph.initializers.extend(made);
    if written.graph.nodes.iter().any(|node| node.domain == MICROSOFT) {
        written.opset_imports.insert(MICROSOFT.to_owned(), 1);
    }
    drop_unused(&mut written.graph);
    Ok(written)
}

impl Writer<'_> {
    /// A name that nothing has yet.
    fn fresh(&mut self, wanted: String) -> String {
        let mut name = wanted.clone();
        let mut number = 1;
        while !self.taken.insert(name.clone()) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
    }

    fn push(&mut self, node: Node) {
        self.nodes.push(node);
    }

    /// The scale and zero point of a value as constants.
    fn parameters(&mut self, value: &str, steps: Steps) -> (String, String) {
        let scale = self.fresh(format!("{value}_scale"));
        let zero_point = self.fresh(format!("{value}_zero_point"));
        self.made.push(Tensor::scalar(scale.clone(), steps.scale));
        self.made.push(Tensor::scalar(zero_point.clone(), steps.zero_point));
        (scale, zero_point)
    }

    /// A value as bytes; they are made of its floats if there are none.
    fn need_bytes(&mut self, value: &str) -> Result<Bytes, QuantizeError> {
        if let Some(bytes) = self.bytes.get(value) {
            return Ok(bytes.clone());
        }
        let bytes = self.declare(value, self.range(value)?);
        self.push(
            Node::new("QuantizeLinear")
                .named(bytes.name.clone())
                .inputs([value, &bytes.scale, &bytes.zero_point])
                .output(bytes.name.clone()),
        );
        Ok(bytes)
    }

    fn range(&self, value: &str) -> Result<Range, QuantizeError> {
        let range = *self.ranges.get(value).ok_or_else(|| QuantizeError::NoRange(value.to_owned()))?;
        match range.is_valid() {
            true => Ok(range),
            false => Err(QuantizeError::BadRange { value: value.to_owned(), min: range.min, max: range.max }),
        }
    }

    /// The bytes of a value, which a node is to make.
    fn declare(&mut self, value: &str, range: Range) -> Bytes {
        let steps = Steps::of(range);
        let (scale, zero_point) = self.parameters(value, steps);
        let bytes = Bytes { name: self.fresh(format!("{value}_quantized")), scale, zero_point, steps };
        self.bytes.insert(value.to_owned(), bytes.clone());
        bytes
    }

    /// Has the floats of a value made, under its own name, if only its bytes are there.
    fn need_floats(&mut self, value: &str) {
        if self.floats.contains(value) {
            return;
        }
        let Some(bytes) = self.bytes.get(value).cloned() else { return };
        self.floats.insert(value.to_owned());
        self.push(dequantize(&bytes, value.to_owned(), value.to_owned()));
    }

    /// The floats behind a value's bytes, for a node of floats between the pairs of QDQ.
    fn restore(&mut self, value: &str) -> Result<String, QuantizeError> {
        let bytes = self.need_bytes(value)?;
        if let Some(name) = self.restored.get(value) {
            return Ok(name.clone());
        }
        let name = self.fresh(format!("{value}_dequantized"));
        self.push(dequantize(&bytes, name.clone(), name.clone()));
        self.restored.insert(value.to_owned(), name.clone());
        Ok(name)
    }

    /// A node that computes with floats as before.
    fn float(&mut self, node: &Node) {
        let inside: BTreeSet<String> = node.subgraphs().flat_map(captured).collect();
        for input in node.inputs.iter().chain(&inside) {
            self.need_floats(input);
        }
        self.floats.extend(node.outputs.iter().cloned());
        self.push(node.clone());
    }

    /// A node that moves bytes.
    fn pass(&mut self, node: &Node) {
        let Some(bytes) = node.inputs.first().and_then(|input| self.bytes.get(input)).cloned() else { return };
        let output = id(node).to_owned();
        let moved = Bytes { name: self.fresh(format!("{output}_quantized")), ..bytes.clone() };
        let mut passing = Node { outputs: vec![moved.name.clone()], ..node.clone() };
        let input = node.inputs.first().cloned().unwrap_or_default();
        let source = match self.format {
            Format::QOperator => bytes.name,
            // It is there as bytes, so that nothing can be missing.
            Format::Qdq => self.restore(&input).unwrap_or(bytes.name),
        };
        if let Some(first) = passing.inputs.first_mut() {
            *first = source;
        }
        if node.op_type == "MaxPool" && self.opset < BYTE_POOL && self.format == Format::QOperator {
            self.pool_channels_last(passing, &moved);
        } else {
            self.place(passing, &output, &moved);
        }
        self.bytes.insert(output, moved);
    }

    /// A pool of bytes where ONNX has none yet: ONNX Runtime's own, for channels last. Its convolutions of bytes run so as well, so that
    /// the transposes meet theirs and cancel.
    fn pool_channels_last(&mut self, mut pool: Node, to: &Bytes) {
        let [before, after] = ["channels_last", "pooled"].map(|ending| self.fresh(format!("{}_{ending}", to.name)));
        let input = pool.inputs.first().cloned().unwrap_or_default();
        let turn = |from: String, to: String, order: [i64; 4]| {
            Node::new("Transpose").named(format!("{to}_transpose")).input(from).output(to).attribute("perm", order)
        };
        self.push(turn(input, before.clone(), [0, 2, 3, 1]));
        pool.op_type = "NhwcMaxPool".to_owned();
        pool.domain = MICROSOFT.to_owned();
        pool.attributes.remove("storage_order");
        pool.inputs = vec![before];
        pool.outputs = vec![after.clone()];
        self.push(pool);
        self.push(turn(after, to.name.clone(), [0, 3, 1, 2]));
    }

    /// A node whose first output is bytes. With pairs of QDQ it gives floats, and the bytes are made of them.
    fn place(&mut self, mut node: Node, value: &str, bytes: &Bytes) {
        if self.format == Format::QOperator {
            node.outputs = vec![bytes.name.clone()];
            self.push(node);
            return;
        }
        let raw = self.fresh(format!("{value}_raw"));
        node.outputs = vec![raw.clone()];
        self.push(node);
        self.push(
            Node::new("QuantizeLinear")
                .named(bytes.name.clone())
                .inputs([&raw, &bytes.scale, &bytes.zero_point])
                .output(bytes.name.clone()),
        );
    }

    /// A node that is to compute with integers.
    fn site(&mut self, node: &Node, site: &Site) -> Result<(), QuantizeError> {
        let mut inputs = Vec::new();
        for name in site.activations.iter().filter_map(|position| node.inputs.get(*position)) {
            let bytes = self.need_bytes(name)?;
            let floats = if self.format == Format::Qdq { self.restore(name)? } else { String::new() };
            inputs.push((bytes, floats));
        }
        match site.kind {
            Kind::Conv | Kind::Gemm | Kind::MatMul => self.product(node, site, &inputs),
            Kind::Add | Kind::AveragePool | Kind::Concat => self.elementwise(node, site, &inputs),
        }
    }

    fn elementwise(&mut self, node: &Node, site: &Site, inputs: &[(Bytes, String)]) -> Result<(), QuantizeError> {
        let output = self.declare(&site.output, site.bounded(self.range(&site.output)?));
        if self.format == Format::Qdq {
            let floats = Node { inputs: inputs.iter().map(|(_, floats)| floats.clone()).collect(), ..node.clone() };
            self.place(floats, &site.output, &output);
            return Ok(());
        }
        let each =
            inputs.iter().flat_map(|(bytes, _)| [bytes.name.clone(), bytes.scale.clone(), bytes.zero_point.clone()]);
        let result = [output.scale.clone(), output.zero_point.clone()];
        let (op_type, operands): (String, Vec<String>) = match site.kind {
            Kind::Concat => ("QLinearConcat".to_owned(), result.into_iter().chain(each).collect()),
            _ => (format!("QLinear{}", node.op_type), each.chain(result).collect()),
        };
        let mut made = Node::new(op_type).domain(MICROSOFT).named(node.name.clone()).inputs(operands);
        made.attributes = node.attributes.clone();
        if node.op_type == "GlobalAveragePool" {
            made = made.attribute("channels_last", 0i64);
        }
        self.place(made, &site.output, &output);
        Ok(())
    }

    /// A convolution or a product of matrices.
    fn product(&mut self, node: &Node, site: &Site, inputs: &[(Bytes, String)]) -> Result<(), QuantizeError> {
        let Some((x, x_floats)) = inputs.first() else { return Ok(()) };
        let transposed = site.kind == Kind::Gemm && node.int("transB").unwrap_or(0) != 0;
        let bias_name = site.bias.clone().or_else(|| node.inputs.get(2).filter(|name| !name.is_empty()).cloned());
        let mut bias_values = match bias_name.as_deref().and_then(|name| self.constants.get(name)) {
            Some(tensor) => tensor.to_vec::<f32>()?,
            None => Vec::new(),
        };
        // A product of `MatMul` adds its bias in float.
        let in_integers = site.kind != Kind::MatMul && !bias_values.is_empty();
        let least = if in_integers { least_scales(&bias_values, x.steps.scale) } else { Vec::new() };
        let axis = match site.kind {
            Kind::Conv => 0,
            _ => usize::from(!transposed),
        };
        let (integers, shift) = self.weight(node, site, axis, &least)?;
        // What the rounded weight adds on average, the bias takes back.
        let mut own_bias = site.bias.clone();
        if let Some(shift) = shift.filter(|shift| shift.iter().any(|shift| *shift != 0.0)) {
            bias_values.resize(shift.len(), 0.0);
            bias_values.iter_mut().zip(&shift).for_each(|(bias, shift)| *bias -= shift);
            if site.kind == Kind::MatMul {
                let corrected = self.fresh(format!("{}_bias_corrected", site.output));
                self.made.push(Tensor::vector(corrected.clone(), &bias_values));
                own_bias = Some(corrected);
            }
        }
        let site = &Site { bias: own_bias, ..site.clone() };
        let in_integers = in_integers || (site.kind != Kind::MatMul && !bias_values.is_empty());
        let bias = match in_integers {
            true => Some(self.bias(&site.output, &bias_values, x, &integers)),
            false => None,
        };
        let output = match site.gives_bytes {
            true => Some(self.declare(&site.output, site.bounded(self.range(&site.output)?))),
            false => None,
        };
        if self.format == Format::Qdq {
            self.qdq_product(node, site, x_floats, axis, &integers, bias, output.as_ref());
            return Ok(());
        }
        let operands = [&x.name, &x.scale, &x.zero_point, &integers.name, &integers.scale, &integers.zero_point];
        let mut made = match (site.kind, &output) {
            (Kind::Conv, _) => Node::new("QLinearConv").inputs(operands),
            (Kind::MatMul, Some(_)) => Node::new("QLinearMatMul").inputs(operands),
            (Kind::Gemm, _) => Node::new("QGemm").domain(MICROSOFT).inputs(operands),
            (_, None) => Node::new("MatMulIntegerToFloat").domain(MICROSOFT).inputs([
                &x.name,
                &integers.name,
                &x.scale,
                &integers.scale,
                &x.zero_point,
                &integers.zero_point,
            ]),
            (Kind::Add | Kind::AveragePool | Kind::Concat, Some(_)) => return Ok(()),
        };
        made = made.named(node.name.clone());
        let result = output.iter().flat_map(|output| [output.scale.clone(), output.zero_point.clone()]);
        match site.kind {
            Kind::Conv => {
                made.attributes = node.attributes.clone();
                made = made.inputs(result).inputs(bias.map(|(name, _)| name));
            }
            Kind::Gemm => {
                made = made.input(bias.map(|(name, _)| name).unwrap_or_default()).inputs(result);
                while made.inputs.last().is_some_and(String::is_empty) {
                    made.inputs.pop();
                }
                made = made.attribute("transB", i64::from(transposed));
            }
            _ if output.is_some() => made = made.inputs(result),
            _ => made = made.inputs(site.bias.clone()),
        }
        match output {
            Some(output) => self.place(made, &site.output, &output),
            None => {
                self.floats.insert(site.output.clone());
                self.push(made.output(site.output.clone()));
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments)]
    fn qdq_product(
        &mut self,
        node: &Node,
        site: &Site,
        x: &str,
        axis: usize,
        integers: &Integers,
        bias: Option<(String, String)>,
        output: Option<&Bytes>,
    ) {
        let restored = self.fresh(format!("{}_dequantized", integers.name));
        let mut weight = Node::new("DequantizeLinear")
            .named(restored.clone())
            .inputs([&integers.name, &integers.scale, &integers.zero_point])
            .output(restored.clone());
        if self.weights.per_channel {
            weight = weight.attribute("axis", axis as i64);
        }
        self.push(weight);
        let mut made = Node { inputs: vec![x.to_owned(), restored], ..node.clone() };
        if let Some((bias, scale)) = bias {
            let restored = self.fresh(format!("{bias}_dequantized"));
            let mut node =
                Node::new("DequantizeLinear").named(restored.clone()).inputs([bias, scale]).output(restored.clone());
            if self.weights.per_channel {
                node = node.attribute("axis", 0i64);
            }
            self.push(node);
            made = made.input(restored);
        }
        match output {
            Some(output) => self.place(made, &site.output, output),
            None => {
                let sum = site.bias.as_ref().map(|bias| {
                    let product = self.fresh(format!("{}_product", site.output));
                    made.outputs = vec![product.clone()];
                    Node::new("Add")
                        .named(format!("{product}_bias"))
                        .inputs([&product, bias])
                        .output(site.output.clone())
                });
                if sum.is_none() {
                    made.outputs = vec![site.output.clone()];
                }
                self.push(made);
                if let Some(sum) = sum {
                    self.push(sum);
                }
                self.floats.insert(site.output.clone());
            }
        }
    }

    /// The weight of a product as integers, with a scale for each place of `axis`. Also what the product gains by that on average, in
    /// each output, if its bias can take it back.
    fn weight(
        &mut self,
        node: &Node,
        site: &Site,
        axis: usize,
        least: &[f64],
    ) -> Result<(Integers, Option<Vec<f32>>), QuantizeError> {
        let name = node.inputs.get(1).cloned().unwrap_or_default();
        let Some(tensor) = self.constants.get(name.as_str()).copied() else { return Err(QuantizeError::Weight(name)) };
        let values = finite(tensor)?;
        let outputs = tensor.dims.get(axis).copied().unwrap_or(1) as usize;
        let inner = tensor.dims.iter().skip(axis + 1).product::<u64>() as usize;
        let mut steps = weight(&values, outputs, inner, self.weights.per_channel, self.weights.bits, least);
        let matrix = Matrix { dims: &tensor.dims, values: &values, layout: Layout { outputs, together: axis == 0 } };
        let has_bias = site.kind != Kind::MatMul || site.bias.is_some();
        let shift = self.products.round(node, matrix, self.weights.bits, has_bias, &mut steps);
        let (integers, made) = Integers::of(tensor, &steps, self.weights, |wanted| self.fresh(wanted))?;
        self.made.extend(made);
        Ok((integers, shift))
    }

    /// A bias as integers, and its scales where the format states them.
    fn bias(&mut self, output: &str, values: &[f32], x: &Bytes, integers: &Integers) -> (String, String) {
        let steps = bias(values, x.steps.scale, &integers.scales);
        let name = self.fresh(format!("{output}_bias_quantized"));
        let scale = self.fresh(format!("{output}_bias_scale"));
        self.made.push(Tensor::vector(name.clone(), &steps));
        if self.format == Format::Qdq {
            let scales: Vec<f32> = integers.scales.iter().map(|scale| x.steps.scale * scale).collect();
            self.made.push(match (self.weights.per_channel, scales.first()) {
                (false, Some(only)) => Tensor::scalar(scale.clone(), *only),
                _ => Tensor::vector(scale.clone(), &scales),
            });
        }
        (name, scale)
    }
}

fn dequantize(bytes: &Bytes, name: String, output: String) -> Node {
    Node::new("DequantizeLinear").named(name).inputs([&bytes.name, &bytes.scale, &bytes.zero_point]).output(output)
}
