//! Products whose inputs become integers while the model runs: `DynamicQuantizeLinear` takes the range of each input as it comes.

use std::collections::{BTreeSet, HashMap, HashSet};

use onnx_model::{DataType, Graph, Model, Node, Tensor};

use crate::arithmetic::weight;
use crate::error::QuantizeError;
use crate::graph::{Uses, captured, constants, drop_unused, float_input, id};
use crate::integers::finite;
use crate::products::{Layout, Matrix, Products};
use crate::writer::WeightOptions;

/// What has steps of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepsOf {
    /// Each input of a product, by its smallest and its largest value.
    Input,
    /// Each row of such an input, a token, by its largest magnitude. Then what is computed for a row does not depend on the others.
    Row,
}

/// The step that stands for zero where rows have steps of their own: they go as far to one side as to the other.
const MIDDLE: u8 = 128;

/// The opset from which on the axes of a reduction are an input.
const AXES_INPUT: i64 = 18;

/// The nodes that can be quantised so, by their ids in the order of the graph: products with a constant matrix.
pub fn sites(model: &Model, skip: &BTreeSet<String>) -> Vec<(usize, String)> {
    let constants = constants(&model.graph);
    let nodes = model.graph.nodes.iter().enumerate();
    nodes
        .filter(|(_, node)| node.is_own() && fits(node, &constants) && !skip.contains(id(node)))
        .map(|(index, node)| (index, id(node).to_owned()))
        .collect()
}

fn fits(node: &Node, constants: &HashMap<&str, &Tensor>) -> bool {
    let matrix = float_input(constants, node, 1).is_some_and(|weight| weight.dims.len() == 2);
    let varies = node.inputs.first().is_some_and(|input| !constants.contains_key(input.as_str()));
    let plain = |name| node.float(name).unwrap_or(1.0) == 1.0;
    let suits = match node.op_type.as_str() {
        "MatMul" => true,
        "Gemm" => plain("alpha") && plain("beta") && node.int("transA").unwrap_or(0) == 0,
        _ => false,
    };
    matrix && varies && suits
}

/// The model with these products in integers. Each is written as ONNX Runtime's fusions expect it, so that it runs as one kernel.
///
/// # Errors
/// When a weight is not finite.
pub fn write(
    model: &Model,
    skip: &BTreeSet<String>,
    products: &Products,
    options: WeightOptions,
    steps: StepsOf,
) -> Result<Model, QuantizeError> {
    let chosen: HashSet<usize> = sites(model, skip).into_iter().map(|(index, _)| index).collect();
    let constants = constants(&model.graph);
    let mut taken: HashSet<String> = captured(&model.graph);
    taken.extend(model.graph.nodes.iter().flat_map(|node| &node.outputs).cloned());
    taken.extend(model.graph.initializers.iter().map(|tensor| tensor.name.clone()));
    let mut fresh = |wanted: String| {
        let mut name = wanted.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            name = format!("{wanted}_{number}");
            number += 1;
        }
        name
    };
    // What was made of an input or a weight serves every product that takes it.
    let mut inputs: HashMap<&str, [String; 3]> = HashMap::new();
    let mut matrices: HashMap<(&str, bool), [String; 2]> = HashMap::new();
    let uses = Uses::of(&model.graph);
    // What products gain on average, by the constants that take it back.
    let mut shifts: HashMap<&str, Vec<f32>> = HashMap::new();
    let (mut nodes, mut made) = (Vec::new(), Vec::new());
    for (index, node) in model.graph.nodes.iter().enumerate() {
        let Some(tensor) = float_input(&constants, node, 1).filter(|_| chosen.contains(&index)) else {
            nodes.push(node.clone());
            continue;
        };
        let (Some(x), output) = (node.inputs.first(), id(node)) else { continue };
        let [bytes, x_scale, x_zero_point] = match inputs.get(x.as_str()) {
            Some(names) => names.clone(),
            None => {
                let names = ["quantized", "scale", "zero_point"].map(|ending| fresh(format!("{x}_{ending}")));
                match steps {
                    StepsOf::Input => nodes.push(
                        Node::new("DynamicQuantizeLinear")
                            .named(format!("{x}_quantize"))
                            .input(x.clone())
                            .outputs(names.clone()),
                    ),
                    StepsOf::Row => by_rows(x, &names, model.opset().unwrap_or(0), &mut fresh, &mut nodes, &mut made),
                }
                inputs.insert(x, names.clone());
                names
            }
        };
        let turned = node.op_type == "Gemm" && node.int("transB").unwrap_or(0) != 0;
        let [matrix, w_scale] = match matrices.get(&(tensor.name.as_str(), turned)) {
            Some(names) => names.clone(),
            None => {
                let (values, dims) = matrix(tensor, turned)?;
                let outputs = dims[1] as usize;
                let mut quantised = weight(&values, outputs, 1, options.per_channel, options.bits, &[]);
                let rounded =
                    Matrix { dims: &tensor.dims, values: &values, layout: Layout { outputs, together: false } };
                let alone = uses.get(&tensor.name).len() == 1;
                let bias = bias_of(model, &uses, &constants, node, outputs).filter(|_| alone);
                let shift = products.round(node, rounded, options.bits, bias.is_some(), &mut quantised);
                shifts.extend(bias.zip(shift));
                let names = ["quantized", "scale"].map(|ending| fresh(format!("{}_{ending}", tensor.name)));
                made.push(Tensor::from_slice(names[0].clone(), dims, &quantised.steps)?);
                made.push(match (options.per_channel, quantised.scales.first()) {
                    (false, Some(only)) => Tensor::scalar(names[1].clone(), *only),
                    _ => Tensor::vector(names[1].clone(), &quantised.scales),
                });
                matrices.insert((tensor.name.as_str(), turned), names.clone());
                names
            }
        };
        let bias = node.inputs.get(2).filter(|name| !name.is_empty() && node.op_type == "Gemm");
        let [integers, floats, scale, product] =
            ["integers", "floats", "scales", "product"].map(|ending| fresh(format!("{output}_{ending}")));
        let product = if bias.is_some() { product } else { output.to_owned() };
        nodes.push(
            Node::new("MatMulInteger")
                .named(integers.clone())
                .inputs([&bytes, &matrix, &x_zero_point])
                .output(integers.clone()),
        );
        nodes.push(
            Node::new("Cast")
                .named(floats.clone())
                .input(integers)
                .attribute("to", DataType::F32)
                .output(floats.clone()),
        );
        let [first, second] = match steps {
            StepsOf::Input => {
                nodes.push(Node::new("Mul").named(scale.clone()).inputs([&x_scale, &w_scale]).output(scale.clone()));
                [floats, scale]
            }
            StepsOf::Row => {
                nodes.push(Node::new("Mul").named(scale.clone()).inputs([&floats, &w_scale]).output(scale.clone()));
                [scale, x_scale]
            }
        };
        nodes.push(Node::new("Mul").named(format!("{output}_scaled")).inputs([first, second]).output(product.clone()));
        if let Some(bias) = bias {
            nodes.push(Node::new("Add").named(format!("{output}_bias")).inputs([&product, bias]).output(output));
        }
    }
    for (name, shift) in shifts {
        let Some(bias) = constants.get(name) else { continue };
        let mut values = bias.to_vec::<f32>()?;
        values.iter_mut().zip(&shift).for_each(|(bias, shift)| *bias -= shift);
        let corrected = Tensor::from_slice(fresh(format!("{name}_corrected")), bias.dims.clone(), &values)?;
        for input in nodes.iter_mut().flat_map(|node: &mut Node| &mut node.inputs).filter(|input| *input == name) {
            input.clone_from(&corrected.name);
        }
        made.push(corrected);
    }
    let mut written = Model { graph: Graph { nodes, ..model.graph.clone() }, ..model.clone() };
    written.graph.initializers.extend(made);
    drop_unused(&mut written.graph);
    Ok(written)
}

/// Makes bytes of a value, with a scale for each of its rows, and a zero point that is the same for all.
fn by_rows(
    x: &str,
    [bytes, scale, zero_point]: &[String; 3],
    opset: i64,
    fresh: &mut impl FnMut(String) -> String,
    nodes: &mut Vec<Node>,
    made: &mut Vec<Tensor>,
) {
    let [highest, lowest, below, largest, steps, axes, share, least, one, floor] =
        ["highest", "lowest", "below", "largest", "in_steps", "axes", "share", "least", "one", "floor"]
            .map(|ending| fresh(format!("{x}_{ending}")));
    let reduce = |operator: &str, to: &String| {
        let node = Node::new(operator).named(to.clone()).input(x).output(to.clone());
        match opset >= AXES_INPUT {
            true => node.input(axes.clone()),
            false => node.attribute("axes", [-1_i64]),
        }
    };
    let of = |operator: &str, inputs: &[&String], to: &String| {
        Node::new(operator).named(to.clone()).inputs(inputs.iter().copied()).output(to.clone())
    };
    let x = x.to_owned();
    nodes.extend([
        reduce("ReduceMax", &highest),
        reduce("ReduceMin", &lowest),
        of("Neg", &[&lowest], &below),
        of("Max", &[&highest, &below], &largest),
        of("Mul", &[&largest, &share], &floor),
        // A row of zeros has steps, too.
        of("Max", &[&floor, &least], scale),
        of("Div", &[&x, scale], &steps),
        of("QuantizeLinear", &[&steps, &one, zero_point], bytes),
    ]);
    if opset >= AXES_INPUT {
        made.push(Tensor::vector(axes, &[-1_i64]));
    }
    made.push(Tensor::scalar(share, 1.0_f32 / 127.0));
    made.push(Tensor::scalar(least, f32::MIN_POSITIVE));
    made.push(Tensor::scalar(one, 1.0_f32));
    made.push(Tensor::scalar(zero_point.clone(), MIDDLE));
}

/// The constant that is added to a product, if nothing else uses it.
fn bias_of<'a>(
    model: &Model,
    uses: &Uses,
    constants: &HashMap<&str, &'a Tensor>,
    node: &Node,
    width: usize,
) -> Option<&'a str> {
    let (adding, positions) = match node.op_type.as_str() {
        "Gemm" => (node, [2, 2]),
        _ => {
            (model.graph.nodes.get(uses.only(id(node))?).filter(|next| next.op_type == "Add" && next.is_own())?, [0, 1])
        }
    };
    let mut biases = positions.into_iter().filter_map(|position| float_input(constants, adding, position));
    let bias = biases.find(|bias| bias.dims == [width as u64] && uses.get(&bias.name).len() == 1)?;
    Some(bias.name.as_str())
}

/// The values of a constant matrix as `[inputs, outputs]`.
fn matrix(tensor: &Tensor, turned: bool) -> Result<(Vec<f32>, Vec<u64>), QuantizeError> {
    let values = finite(tensor)?;
    let [rows, columns] = [0, 1].map(|axis| tensor.dims.get(axis).copied().unwrap_or(1) as usize);
    if !turned {
        return Ok((values, tensor.dims.clone()));
    }
    let places = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    let values = places.filter_map(|place| values.get(place).copied()).collect();
    Ok((values, vec![columns as u64, rows as u64]))
}
