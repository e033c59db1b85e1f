//! The text of a graph, as snapshot tests of the exporter read it.

use half::f16;
use onnx_model::{DataType, Dim, Graph, Model, Node, Tensor, ValueInfo};

fn model() -> Model {
    let branch = Graph::new("then")
        .initializer(Tensor::scalar("two", 2.0f32))
        .node(Node::new("Mul").input("y").input("two").output("doubled"))
        .output(ValueInfo::new("doubled", DataType::F32, [Dim::Unknown]));
    let weight = Tensor::from_slice("fc1.weight", [4, 3], &[0.5f32; 12]).expect("twelve elements");
    let graph = Graph::new("net")
        .input(ValueInfo::new("x", DataType::F32, [Dim::from("batch"), Dim::from(3)]))
        .initializer(weight)
        .initializer(Tensor::vector("shape", &[0i64, -1]))
        .initializer(Tensor::scalar("half", f16::from_f32(0.5)))
        .initializer(Tensor::vector::<i64>("nothing", &[]))
        .node(Node::new("Gemm").named("fc1").inputs(["x", "fc1.weight"]).output("h").attribute("transB", 1i64))
        .node(Node::new("Clip").input("h").no_input().input("half").output("y"))
        .node(Node::new("FusedThing").domain("com.example").input("y").output("odd name").attribute("mode", "fast"))
        .node(Node::new("If").input("odd name").output("z").attribute("then_branch", branch))
        .output(ValueInfo::new("z", DataType::F32, [Dim::from("batch"), Dim::from(4)]));
    let mut model = Model::new(11, graph);
    model.producer_name = "kiln".into();
    model.metadata.insert("labels".into(), "a\nb".into());
    model
}

#[test]
fn a_graph_is_readable_line_by_line() {
    insta::assert_snapshot!(model(), @r#"
    model: ir 6, opset 11
    producer: kiln
    note labels: a\nb
    graph net
      input  x: float[batch, 3]
      const  fc1.weight: float[4, 3]
      const  shape: int64[2] = [0, -1]
      const  half: float16[] = 0.5
      const  nothing: int64[0] = []
      node   fc1: h = Gemm(x, fc1.weight) {transB = 1}
      node   y = Clip(h, _, half)
      node   "odd name" = com.example.FusedThing(y) {mode = "fast"}
      node   z = If("odd name") {then_branch = graph then}
        graph then
          const  two: float[] = 2.0
          node   doubled = Mul(y, two)
          output doubled: float[?]
      output z: float[batch, 4]
    "#);
}
