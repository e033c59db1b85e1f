//! Symbolic shapes through the patterns of real networks; the expected shapes are worked out by hand.

use onnx_model::{DataType, Dim, Graph, Model, Node, Problem, Tensor, Types, ValueInfo};

/// A graph over inputs such as `("x", "n,3,?")`, whose outputs are of unknown rank to the checker.
fn infer(opset: i64, inputs: &[(&str, &str)], constants: Vec<Tensor>, nodes: Vec<Node>) -> Result<Types, Problem> {
    let mut graph = Graph::new("g");
    for (name, dims) in inputs {
        let dim = |text: &str| match (text, text.parse()) {
            ("?", _) => Dim::Unknown,
            (_, Ok(size)) => Dim::Known(size),
            _ => Dim::symbol(text),
        };
        let dims: Vec<Dim> = dims.split(',').filter(|dim| !dim.is_empty()).map(dim).collect();
        graph.inputs.push(ValueInfo::new(*name, DataType::F32, dims));
    }
    (graph.initializers, graph.nodes) = (constants, nodes);
    Model::new(opset, graph).check().map_err(|error| error.problem)
}

fn shape(types: &Types, name: &str) -> String {
    types.get(name).map(ToString::to_string).unwrap_or_else(|| "nothing".to_owned())
}

fn ints(name: &str, values: &[i64]) -> Tensor {
    Tensor::vector(name, values)
}

fn node(op: &str, inputs: &str, output: &str) -> Node {
    let inputs = inputs.split_whitespace().map(|name| if name == "_" { "" } else { name });
    Node::new(op).inputs(inputs).output(output)
}

#[test]
fn attention_heads_split_and_join() {
    let transpose = |input, output| node("Transpose", input, output).attribute("perm", [0i64, 2, 1, 3]);
    let types = infer(
        17,
        &[("x", "batch,seq,384")],
        vec![ints("split", &[0, 0, 12, 32]), ints("join", &[0, 0, -1])],
        vec![
            node("Reshape", "x split", "heads"),
            transpose("heads", "q"),
            node("Transpose", "heads", "k").attribute("perm", [0i64, 2, 3, 1]),
            node("MatMul", "q k", "scores"),
            node("Softmax", "scores", "weights").attribute("axis", -1i64),
            node("MatMul", "weights q", "mixed"),
            transpose("mixed", "back"),
            node("Reshape", "back join", "y"),
        ],
    );
    let types = types.expect("a model");
    assert_eq!(shape(&types, "q"), "float[batch, 12, seq, 32]");
    assert_eq!(shape(&types, "scores"), "float[batch, 12, seq, seq]");
    assert_eq!(shape(&types, "y"), "float[batch, seq, 384]");
}

#[test]
fn axes_that_are_joined_can_be_split_again() {
    let types = infer(
        13,
        &[("x", "batch,seq,64"), ("w", "64,48")],
        vec![ints("rows", &[-1, 64]), ints("first", &[0]), ints("second", &[1]), ints("rest", &[48])],
        vec![
            node("Reshape", "x rows", "flat"),
            node("MatMul", "flat w", "product"),
            node("Shape", "x", "shape"),
            node("Gather", "shape first", "batch"),
            node("Gather", "shape second", "seq"),
            node("Concat", "batch seq rest", "target").attribute("axis", 0i64),
            node("Reshape", "product target", "y"),
        ],
    );
    let types = types.expect("a model");
    assert_eq!(shape(&types, "flat"), "float[batch*seq, 64]");
    assert_eq!(shape(&types, "y"), "float[batch, seq, 48]");
}

#[test]
fn windows_keep_expressions() {
    let conv = |input, output, stride: i64, pad: i64| {
        node("Conv", input, output).attribute("strides", [stride, stride]).attribute("pads", [pad; 4])
    };
    let weight = |name: &str, dims: [u64; 4]| {
        Tensor::from_slice(name, dims, &vec![0.0f32; dims.iter().product::<u64>() as usize]).expect("a weight")
    };
    let types = infer(
        11,
        &[("x", "n,3,h,w")],
        vec![weight("a", [8, 3, 3, 3]), weight("b", [8, 8, 3, 3])],
        vec![
            conv("x a", "same", 1, 1),
            conv("same b", "valid", 1, 0),
            conv("valid b", "half", 2, 1),
            node("GlobalAveragePool", "half", "pooled"),
            node("Flatten", "pooled", "y"),
        ],
    );
    let types = types.expect("a model");
    assert_eq!(shape(&types, "same"), "float[n, 8, h, w]");
    assert_eq!(shape(&types, "valid"), "float[n, 8, h - 2, w - 2]");
    // floor((h - 2 + 2 - 3)/2) + 1
    assert_eq!(shape(&types, "half"), "float[n, 8, floor((h + 1)/2) - 1, floor((w + 1)/2) - 1]");
    assert_eq!(shape(&types, "y"), "float[n, 8]");
}

#[test]
fn masks_and_positions_follow_an_axis() {
    let scalar = |name: &str, value: i64| Tensor::scalar(name, value);
    let types = infer(
        13,
        &[("x", "batch,seq,8")],
        vec![scalar("zero", 0), scalar("one", 1), ints("axis", &[0]), ints("last", &[1])],
        vec![
            node("Shape", "x", "shape"),
            node("Gather", "shape one", "seq"),
            node("Range", "zero seq one", "positions"),
            node("Unsqueeze", "positions axis", "row"),
            node("Unsqueeze", "positions last", "column"),
            node("LessOrEqual", "row column", "causal"),
            node("Add", "seq one", "longer"),
            node("Range", "zero longer one", "shifted"),
        ],
    );
    let types = types.expect("a model");
    assert_eq!(shape(&types, "positions"), "int64[seq]");
    assert_eq!(shape(&types, "causal"), "bool[seq, seq]");
    assert_eq!(shape(&types, "shifted"), "int64[seq + 1]");
}

#[test]
fn slices_of_a_named_axis() {
    let slice = |starts, ends, output| node("Slice", &format!("x {starts} {ends} axis"), output);
    let types = infer(
        11,
        &[("x", "n,seq,8")],
        vec![
            ints("axis", &[1]),
            ints("zero", &[0]),
            ints("one", &[1]),
            ints("two", &[2]),
            ints("minus", &[-1]),
            ints("far", &[i64::MAX]),
        ],
        vec![
            slice("zero", "far", "all"),
            slice("one", "far", "tail"),
            slice("zero", "minus", "head"),
            slice("zero", "one", "first"),
            slice("minus", "far", "last"),
            slice("two", "far", "beyond"),
        ],
    );
    let types = types.expect("a model");
    let second = |name| types[name].shape.as_ref().map(|shape| shape[1].to_string()).unwrap_or_default();
    assert_eq!(second("all"), "seq");
    assert_eq!(second("tail"), "seq - 1");
    assert_eq!(second("head"), "seq - 1");
    assert_eq!(second("first"), "1");
    assert_eq!(second("last"), "1");
    // A sequence of one has no third element, and not minus one of them.
    assert_eq!(second("beyond"), "max(seq - 2, 0)");
}

#[test]
fn a_contradiction_for_every_size_is_an_error_and_for_some_it_is_not() {
    let concat = |a, b| {
        let nodes = vec![node("Concat", "x y", "z").attribute("axis", 1i64)];
        infer(11, &[("x", a), ("y", b)], Vec::new(), nodes)
    };
    assert!(concat("n,2", "n,3").is_ok());
    assert!(concat("n,2", "4,3").is_ok());
    assert!(matches!(concat("5,2", "4,3"), Err(Problem::Sizes { .. })));
    let longer = infer(
        11,
        &[("x", "n,2")],
        vec![ints("pads", &[1, 0, 0, 0])],
        vec![node("Pad", "x pads", "p"), node("Concat", "x p", "z").attribute("axis", 1i64)],
    );
    assert!(matches!(longer, Err(Problem::Sizes { left, right, .. }) if left == "n" && right == "n + 1"));
}

#[test]
fn branches_are_followed_into_their_subgraphs() {
    let branch = |op: &str| {
        let made = ValueInfo { name: op.to_owned(), ty: None, doc: String::new() };
        Graph::new(op).node(node(op, "x", op)).output(made)
    };
    let choose = |then: &str, other: &str| {
        let mut graph = Graph::new("g").input(ValueInfo::new("x", DataType::F32, [Dim::from("n"), Dim::from(3)]));
        graph.initializers.push(Tensor::scalar("c", true));
        let node = node("If", "c", "y").attribute("then_branch", branch(then)).attribute("else_branch", branch(other));
        graph.nodes.push(node);
        Model::new(13, graph).check().map_err(|error| error.problem)
    };
    assert_eq!(choose("Relu", "Neg").map(|types| shape(&types, "y")), Ok("float[n, 3]".to_owned()));
    assert!(matches!(choose("Relu", "IsNaN"), Err(Problem::Declared { .. })));
}

/// The value of an expression such as `2*batch + min(seq, 32)` at batch 3 and sequence 5.
fn evaluate(text: &str) -> i64 {
    // An operator inside of brackets belongs to an inner expression.
    let split = |operator: char| {
        let mut depth = 0;
        let at = text.find(|c: char| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            depth == 0 && c == operator
        })?;
        Some((text[..at].trim(), text[at + 1..].trim()))
    };
    if let Some((left, right)) = split('+') {
        return evaluate(left) + evaluate(right);
    }
    if let Some((left, right)) = split('*') {
        return evaluate(left) * evaluate(right);
    }
    if let Some((left, right)) = text.strip_prefix("min(").and_then(|text| text.strip_suffix(')')?.split_once(", ")) {
        return evaluate(left).min(evaluate(right));
    }
    match text {
        "batch" => 3,
        "seq" => 5,
        number => number.parse().unwrap_or_else(|_| panic!("a number: {number}")),
    }
}

/// Every value of a network that PyTorch exported: masks, positions and reshapes computed in the graph.
#[test]
fn a_transformer_from_pytorch_has_the_shapes_that_the_runtime_computes() {
    let model = Model::decode(include_bytes!("../fixtures/torch_bert.onnx").as_slice()).expect("a model");
    let types = model.check().expect("a valid model");
    let mut values = 0;
    for line in include_str!("../fixtures/torch_bert.txt").lines() {
        let (name, dims) = line.rsplit_once(' ').expect("a name and a shape");
        let computed: Vec<i64> = dims.split(',').filter(|dim| !dim.is_empty()).map(evaluate).collect();
        let inferred = types.get(name).and_then(|ty| ty.shape.clone()).expect(name);
        let evaluated: Vec<i64> = inferred.iter().map(|dim| evaluate(&dim.to_string())).collect();
        assert_eq!(evaluated, computed, "{name}: {}", shape(&types, name));
        values += 1;
    }
    assert_eq!(values, model.graph.nodes.iter().map(|node| node.outputs.len()).sum::<usize>());
}
