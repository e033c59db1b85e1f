//! What the checker says, word for word: the sentences that a user of the exporter reads.

use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};

fn message(opset: i64, change: impl FnOnce(&mut Graph)) -> String {
    let value = |name: &str| ValueInfo::new(name, DataType::F32, [Dim::from("n"), Dim::from(3)]);
    let mut graph = Graph::new("net").input(value("x")).output(value("y"));
    change(&mut graph);
    Model::new(opset, graph).check().expect_err("an error").to_string()
}

#[test]
fn errors_say_where_what_and_why() {
    let relu = || Node::new("Relu").input("x").output("y");
    let named = |node: Node| node.named("head.act");
    assert_eq!(
        message(11, |g| g.nodes = vec![named(Node::new("Rellu").input("x").output("y"))]),
        r#"Rellu node "head.act" of graph "net": there is no operator Rellu at opset 11"#
    );
    assert_eq!(
        message(14, |g| g.nodes = vec![named(Node::new("LayerNormalization").inputs(["x", "x"]).output("y"))]),
        r#"LayerNormalization node "head.act" of graph "net": there is no operator LayerNormalization at opset 14; it came with opset 17"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![Node::new("Upsample").inputs(["x", "x"]).output("y")]),
        r#"Upsample node 0 of graph "net": the operator Upsample was withdrawn with opset 10"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![named(relu().input("x"))]),
        r#"Relu node "head.act" of graph "net": there are 2 inputs, and the operator takes 1"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![relu().attribute("alpha", 1.0f32)]),
        r#"Relu node 0 of graph "net": there is no attribute "alpha" at opset 11"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![Node::new("Concat").input("x").output("y")]),
        r#"Concat node 0 of graph "net": the attribute "axis" is missing"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![Node::new("Concat").input("x").output("y").attribute("axis", 1.0f32)]),
        r#"Concat node 0 of graph "net": the attribute "axis" is of type float, not int"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![Node::new("Not").input("x").output("y")]),
        r#"Not node 0 of graph "net": "x" is float, and "X" takes bool"#
    );
    assert_eq!(
        message(11, |g| {
            g.initializers.push(Tensor::scalar("two", 2.0f64));
            g.nodes = vec![Node::new("Mul").inputs(["x", "two"]).output("y")];
        }),
        r#"Mul node 0 of graph "net": "two" is double, and the other values of type T are float"#
    );
    assert_eq!(
        message(11, |g| {
            g.initializers.push(Tensor::from_slice("w", [4, 3], &[0.0f32; 12]).expect("a matrix"));
            g.nodes = vec![Node::new("MatMul").named("fc1").inputs(["x", "w"]).output("y")];
        }),
        r#"MatMul node "fc1" of graph "net": the inner sizes of a matrix product agree: 3 is not 4"#
    );
    assert_eq!(
        message(11, |g| {
            g.nodes = vec![relu()];
            g.outputs[0] = ValueInfo::new("y", DataType::F32, [Dim::from("n"), Dim::from(4)]);
        }),
        r#"Relu node 0 of graph "net": "y" is declared as float[n, 4], and its node makes float[n, 3]"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![Node::new("Softmax").input("x").output("y").attribute("axis", 4i64)]),
        r#"Softmax node 0 of graph "net": axis 4 is outside of rank 2"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![Node::new("Relu").input("z").output("y")]),
        r#"Relu node 0 of graph "net": the value "z" is used and nothing before makes it"#
    );
    assert_eq!(
        message(11, |g| g.nodes = vec![relu(), relu()]),
        r#"Relu node 1 of graph "net": the value "y" is already defined"#
    );
    assert_eq!(message(11, |_| {}), r#"graph "net": the output "y" is made by no node"#);
    assert_eq!(message(11, |g| g.outputs[0].ty = None), r#"graph "net": "y" has no element type or no shape"#);
    assert_eq!(message(6, |g| g.nodes = vec![relu()]), r#"the model: opset 6 is not between 7 and 28"#);
}
