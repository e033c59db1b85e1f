//! Functions that a model defines, which stand where they are called once it is read.
//!
//! That they compute the same is tested under ONNX Runtime (`crates/infer/tests/fixtures/float64_graphs.py`); here are the
//! corners of the format and the files that mean harm, written field by field.

use onnx_model::{Attribute, Model};

use crate::wire::{field, number, text};

/// A `NodeProto`; attributes are whole messages.
fn node(op_type: &str, domain: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let names = |tag, names: &[&str]| names.iter().flat_map(|name| text(tag, name)).collect::<Vec<_>>();
    let attributes: Vec<u8> = attributes.iter().flat_map(|attribute| field(5, attribute)).collect();
    [names(1, inputs), names(2, outputs), text(4, op_type), attributes, text(7, domain)].concat()
}

/// A `FunctionProto` of the domain `own`, for opset 17.
fn function(name: &str, inputs: &[&str], outputs: &[&str], nodes: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|input| text(4, input));
    let outputs = outputs.iter().flat_map(|output| text(5, output));
    let nodes = nodes.iter().flat_map(|node| field(7, node));
    let parts = text(1, name).into_iter().chain(inputs).chain(outputs).chain(nodes);
    parts.chain(imports(9, 17)).chain(text(10, "own")).collect()
}

fn imports(tag: u32, opset: u64) -> Vec<u8> {
    let own = [text(1, "own"), number(2, 1)].concat();
    [field(tag, &number(2, opset)), field(tag, &own)].concat()
}

/// A model of opset 17 from `x` to `y`, both `float[n]`.
fn model(nodes: &[Vec<u8>], functions: &[Vec<u8>]) -> Vec<u8> {
    let size = field(1, &text(2, "n"));
    let tensor = [number(1, 1), field(2, &size)].concat();
    let value = |name| [text(1, name), field(2, &field(1, &tensor))].concat();
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| field(1, node)).collect();
    let graph = [nodes, text(2, "net"), field(11, &value("x")), field(12, &value("y"))].concat();
    let functions: Vec<u8> = functions.iter().flat_map(|function| field(25, function)).collect();
    [number(1, 8), field(7, &graph), imports(8, 17), functions].concat()
}

/// The graph, line by line, without its values.
fn nodes(bytes: Vec<u8>) -> Vec<String> {
    let model = Model::decode(bytes).expect("a model");
    model.check().expect("a sound model");
    let shown = model.to_string();
    shown.lines().filter_map(|line| line.trim().strip_prefix("node   ")).map(str::to_owned).collect()
}

fn error(bytes: Vec<u8>) -> String {
    Model::decode(bytes).expect_err("an error").to_string()
}

#[test]
fn a_call_becomes_the_nodes_of_its_function() {
    let slope = [text(1, "alpha"), number(20, 1), text(21, "slope")].concat();
    let given = [text(1, "slope"), vec![2 << 3 | 5], 0.25f32.to_le_bytes().to_vec(), number(20, 1)].concat();
    let inner = function("Inner", &["a"], &["b"], &[node("LeakyRelu", "", &["a"], &["b"], &[slope])]);
    let outer = function(
        "Outer",
        &["a", "absent"],
        &["first", "second", "a"],
        &[
            node("Inner", "own", &["a"], &["first"], std::slice::from_ref(&given)),
            node("Inner", "own", &["first"], &["hidden"], &[]),
            node("Clip", "", &["hidden", "absent"], &["second"], &[]),
        ],
    );
    // The first output is left out, the third is an input of the function.
    let call = node("Outer", "own", &["x"], &["", "h", "again"], &[]);
    let sum = node("Add", "", &["h", "again"], &["y"], &[]);
    let expected = [
        "Outer.3/first = LeakyRelu(x) {alpha = 0.25}",
        "Outer.3/hidden = LeakyRelu(Outer.3/first)",
        "h = Clip(Outer.3/hidden, _)",
        "again = Identity(x)",
        "y = Add(h, again)",
    ];
    assert_eq!(nodes(model(&[call, sum], &[inner, outer])), expected);
}

#[test]
fn two_calls_share_no_names() {
    let twice = function(
        "Twice",
        &["a"],
        &["b"],
        &[node("Exp", "", &["a"], &["middle"], &[]), node("Exp", "", &["middle"], &["b"], &[])],
    );
    let calls = [node("Twice", "own", &["x"], &["h"], &[]), node("Twice", "own", &["h"], &["y"], &[])];
    assert_eq!(nodes(model(&calls, &[twice])).len(), 4);
}

#[test]
fn calls_without_end_are_refused() {
    let circle = function("F", &["a"], &["b"], &[node("F", "own", &["a"], &["b"], &[])]);
    let call = || node("F", "own", &["x"], &["y"], &[]);
    assert!(error(model(&[call()], &[circle])).contains("call one another more than"));
    // Thirty functions of a few bytes, each of which calls the next one twice.
    let name = |level| if level == 0 { "F".to_owned() } else { format!("F{level}") };
    let doubling = |level: u32| {
        let next = |from, to| node(&name(level + 1), "own", &[from], &[to], &[]);
        function(&name(level), &["a"], &["b"], &[next("a", "m"), next("m", "b")])
    };
    let last = function("F30", &["a"], &["b"], &[node("Exp", "", &["a"], &["b"], &[])]);
    let functions: Vec<_> = (0..30).map(doubling).chain([last]).collect();
    assert!(error(model(&[call()], &functions)).contains("stand for more than"));
}

#[test]
fn operators_that_mean_something_else_are_refused() {
    // ReduceSum takes its axes as an attribute up to opset 12.
    let old = |op_type: &str| {
        let nodes = field(7, &node(op_type, "", &["a"], &["b"], &[]));
        let head = [text(1, "F"), text(4, "a"), text(5, "b"), nodes].concat();
        [head, field(9, &number(2, 12)), text(10, "own")].concat()
    };
    let call = || node("F", "own", &["x"], &["y"], &[]);
    assert!(error(model(&[call()], &[old("ReduceSum")])).contains("version 12 in a model of version 17"));
    assert_eq!(nodes(model(&[call()], &[old("Acos")])), ["y = Acos(x)"]);
}

#[test]
fn a_function_twice_and_too_many_inputs_are_refused() {
    let one = || function("F", &["a"], &["b"], &[node("Exp", "", &["a"], &["b"], &[])]);
    let call = |inputs: &[&str]| node("F", "own", inputs, &["y"], &[]);
    assert!(error(model(&[call(&["x"])], &[one(), one()])).contains("more than once"));
    assert!(error(model(&[call(&["x", "x"])], &[one()])).contains("more inputs or outputs"));
}

#[test]
fn functions_are_written_as_the_nodes_that_they_became() {
    let exp = function("F", &["a"], &["b"], &[node("Exp", "", &["a"], &["b"], &[])]);
    let read = Model::decode(model(&[node("F", "own", &["x"], &["y"], &[])], &[exp])).expect("a model");
    let again = Model::decode(read.encode().expect("bytes")).expect("a model");
    assert_eq!(again, read);
    assert!(read.graph.nodes.iter().all(|node| !node.attributes.values().any(|a| matches!(a, Attribute::Graph(_)))));
}
