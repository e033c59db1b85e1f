//! Properties that hold for every model, and for every sequence of bytes.

use std::collections::BTreeMap;

use onnx_model::{
    Attribute, DataType, Dim, ExternalData, Graph, Model, Node, Tensor, TensorData, TensorType, ValueInfo,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::agreement;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![named(), Just(String::new())]
}

/// A name that must be there.
fn named() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z./]{1,6}", any::<String>().prop_map(|text| format!("{text}."))]
}

fn dim() -> impl Strategy<Value = Dim> {
    prop_oneof![(0..=i64::MAX as u64).prop_map(Dim::Known), "[a-z]{1,4}".prop_map(Dim::Symbol), Just(Dim::Unknown)]
}

fn dtype() -> impl Strategy<Value = DataType> {
    proptest::sample::select(DataType::ALL.as_slice())
}

fn value_info() -> impl Strategy<Value = ValueInfo> {
    let ty = (dtype(), proptest::option::of(vec(dim(), 0..4))).prop_map(|(dtype, shape)| TensorType { dtype, shape });
    (named(), proptest::option::of(ty), name()).prop_map(|(name, ty, doc)| ValueInfo { name, ty, doc })
}

fn tensor() -> impl Strategy<Value = Tensor> {
    let external = (name(), any::<u64>(), proptest::option::of(any::<u64>()));
    (name(), dtype(), vec(0..5u64, 0..4), vec(any::<u8>(), 125 * 16), proptest::option::weighted(0.1, external))
        .prop_map(|(name, dtype, dims, bytes, external)| {
            let count: u64 = dims.iter().product();
            let data = match (dtype.byte_len(count), external) {
                (None, _) => {
                    TensorData::Strings(bytes.chunks(3).take(count as usize).map(|text| text.to_vec().into()).collect())
                }
                (Some(_), Some((location, offset, length))) if !location.is_empty() => {
                    TensorData::External(ExternalData { location, offset, length })
                }
                (Some(length), _) => TensorData::Bytes(bytes[..length as usize].to_vec().into()),
            };
            Tensor { name, dtype, dims, data, doc: String::new() }
        })
}

fn float() -> impl Strategy<Value = f32> {
    // NaN is kept as well, but does not equal itself.
    any::<f32>().prop_filter("NaN differs from itself", |value| !value.is_nan())
}

fn graph() -> impl Strategy<Value = Graph> {
    let leaf = (named(), vec(value_info(), 0..2)).prop_map(|(name, inputs)| Graph { name, inputs, ..Graph::default() });
    leaf.prop_recursive(2, 12, 3, |inner| {
        let attribute = prop_oneof![
            float().prop_map(Attribute::Float),
            any::<i64>().prop_map(Attribute::Int),
            any::<String>().prop_map(Attribute::String),
            tensor().prop_map(Attribute::Tensor),
            inner.clone().prop_map(|graph| Attribute::Graph(Box::new(graph))),
            vec(float(), 0..3).prop_map(Attribute::Floats),
            vec(any::<i64>(), 0..3).prop_map(Attribute::Ints),
            vec(any::<String>(), 0..3).prop_map(Attribute::Strings),
            vec(tensor(), 0..2).prop_map(Attribute::Tensors),
            vec(inner, 0..2).prop_map(Attribute::Graphs),
        ];
        let texts = || btree_map(name(), name(), 0..2);
        let node = (
            name(),
            "[A-Za-z]{1,6}",
            name(),
            vec(name(), 0..3),
            vec(name(), 0..3),
            btree_map(name(), attribute, 0..3),
            texts(),
        );
        let node = node.prop_map(|(name, op_type, domain, inputs, outputs, attributes, metadata)| Node {
            name,
            op_type,
            domain,
            inputs,
            outputs,
            attributes,
            doc: String::new(),
            metadata,
        });
        let values = || vec(value_info(), 0..3);
        (named(), vec(node, 0..3), values(), values(), vec(tensor(), 0..3), values(), name(), texts()).prop_map(
            |(name, nodes, inputs, outputs, initializers, value_infos, doc, metadata)| Graph {
                name,
                nodes,
                inputs,
                outputs,
                initializers,
                value_infos,
                doc,
                metadata,
            },
        )
    })
}

fn model() -> impl Strategy<Value = Model> {
    let header = (any::<i64>(), btree_map(name(), any::<i64>(), 0..3), name(), name(), any::<i64>());
    (header, btree_map(name(), name(), 0..3), graph()).prop_map(|(header, metadata, graph)| {
        let (ir_version, opset_imports, producer_name, doc, model_version) = header;
        Model { ir_version, opset_imports, producer_name, doc, model_version, metadata, graph, ..Model::default() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_model_survives_its_bytes(model in model()) {
        let bytes = model.encode().expect("bytes");
        let again = Model::decode(bytes.clone()).expect("a model");
        prop_assert_eq!(&again, &model);
        prop_assert_eq!(again.encode().expect("bytes"), bytes);
    }

    #[test]
    fn no_model_makes_checker_or_printer_fail(model in model()) {
        let _ = model.check();
        prop_assert!(model.to_string().lines().count() >= 2);
    }

    #[test]
    fn no_bytes_make_the_reader_fail(bytes in vec(any::<u8>(), 0..200)) {
        let _ = Model::decode(bytes);
    }

    /// Real files with a few bytes changed, which reaches further than noise: sizes, axes, pads and types go wild.
    #[test]
    fn damaged_models_are_refused_or_checked(
        seed in any::<proptest::sample::Index>(),
        damage in vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let models = agreement::models();
        let mut bytes = seed.get(&models).1.to_vec();
        for (place, value) in &damage {
            let place = place.index(bytes.len());
            bytes[place] = *value;
        }
        if let Ok(model) = Model::decode(bytes) {
            let _ = (model.check(), model.to_string(), model.encode());
        }
    }
}

/// The order in which attributes and notes were given does not show.
#[test]
fn bytes_do_not_depend_on_the_order_of_insertion() {
    let node = Node::new("Conv").inputs(["x", "w"]).output("y");
    let one = node.clone().attribute("pads", [1i64, 1]).attribute("strides", [2i64]);
    let other = node.attribute("strides", [2i64]).attribute("pads", [1i64, 1]);
    let model = |node, notes: [(&str, &str); 2]| {
        let mut model = Model::new(11, Graph::new("g").node(node));
        model.metadata = BTreeMap::from(notes.map(|(key, value)| (key.to_owned(), value.to_owned())));
        model.encode().expect("bytes")
    };
    assert_eq!(model(one, [("a", "1"), ("b", "2")]), model(other, [("b", "2"), ("a", "1")]));
}
