//! From the messages to the plain types.

use std::cell::Cell;
use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message;

use super::decode_error::DecodeError;
use super::decode_tensor::{data_type, decode_tensor, tensor, unsigned};
use super::functions::{Functions, Scope, imports};
use super::messages::{self as proto, attribute_type as kind};
use crate::check::MAX_DEPTH;
use crate::{Attribute, Dim, Graph, Model, Node, Tensor, TensorType, ValueInfo};

/// Calls of functions together become no more nodes than this: a few functions that call each other twice would be without
/// end.
const MAX_CALLED: usize = 1 << 17;

/// Reads a model; tensors share `bytes`.
pub fn decode_model(bytes: Bytes) -> Result<Model, DecodeError> {
    let message = proto::Model::decode(bytes)?;
    let place = || "the model".to_owned();
    let unsupported = |what: &str| Err(DecodeError::Unsupported { place: place(), what: what.to_owned() });
    if !message.training_info.is_empty() {
        return unsupported("training information");
    }
    let mut opset_imports = imports(message.opset_import, &place())?;
    let functions = Functions::new(message.functions, &mut opset_imports)?;
    let graph_message = message.graph.ok_or_else(|| DecodeError::Missing { place: place(), what: "graph" })?;
    Ok(Model {
        ir_version: message.ir_version.ok_or_else(|| DecodeError::Missing { place: place(), what: "IR version" })?,
        opset_imports,
        producer_name: message.producer_name,
        producer_version: message.producer_version,
        domain: message.domain,
        model_version: message.model_version,
        doc: message.doc_string,
        metadata: entries(message.metadata_props, &place())?,
        graph: Reader { functions: &functions, calls: Cell::new(0) }.graph(graph_message, &Scope::default(), 0)?,
    })
}

/// Reads graphs, and puts the nodes of functions in the place of their calls.
struct Reader<'a> {
    functions: &'a Functions,
    /// The nodes that calls have become so far.
    calls: Cell<usize>,
}

impl Reader<'_> {
    fn graph(&self, message: proto::Graph, scope: &Scope, depth: usize) -> Result<Graph, DecodeError> {
        let place = format!("graph {:?}", message.name);
        let unsupported = |what: String| Err(DecodeError::Unsupported { place: place.clone(), what });
        if !message.sparse_initializer.is_empty() {
            return unsupported("sparse initialisers".to_owned());
        }
        if depth > MAX_DEPTH {
            return unsupported(format!("graphs nested more than {MAX_DEPTH} deep"));
        }
        let values = |values: Vec<Bytes>| {
            let value = |bytes: Bytes| value_info(proto::ValueInfo::decode(bytes)?, scope);
            values.into_iter().map(value).collect::<Result<_, DecodeError>>()
        };
        let constant = |bytes: Bytes| {
            let found = tensor(proto::Tensor::decode(bytes)?)?;
            Ok::<_, DecodeError>(Tensor { name: scope.rename(&found.name), ..found })
        };
        named(&message.node, "a node", "operator")?;
        [&message.input, &message.output, &message.value_info]
            .into_iter()
            .try_for_each(|list| named(list, "a value", "name"))?;
        let mut nodes = Vec::with_capacity(message.node.len());
        for bytes in message.node {
            self.node(proto::Node::decode(bytes)?, scope, depth, &mut nodes)?;
        }
        Ok(Graph {
            nodes,
            inputs: values(message.input)?,
            outputs: values(message.output)?,
            initializers: message.initializer.into_iter().map(constant).collect::<Result<_, _>>()?,
            value_infos: values(message.value_info)?,
            doc: message.doc_string,
            metadata: entries(message.metadata_props, &place)?,
            name: message.name,
        })
    }

    /// Appends the node, or those of the function that it calls.
    fn node(&self, message: proto::Node, scope: &Scope, depth: usize, into: &mut Vec<Node>) -> Result<(), DecodeError> {
        if message.op_type.is_empty() {
            return Err(DecodeError::Missing { place: "a node".to_owned(), what: "operator" });
        }
        let place = match message.name.as_str() {
            "" => format!("a {} node without a name", message.op_type),
            name => format!("{} node {name:?}", message.op_type),
        };
        let mut attributes = BTreeMap::new();
        for item in message.attribute {
            let Some(item) = scope.attribute(proto::Attribute::decode(item)?) else { continue };
            let key = item.name.clone();
            if attributes.insert(key.clone(), item).is_some() {
                return Err(DecodeError::Duplicate { place, key });
            }
        }
        let rename = |names: Vec<String>| names.iter().map(|name| scope.rename(name)).collect::<Vec<_>>();
        let (inputs, outputs) = (rename(message.input), rename(message.output));
        if let Some(function) = self.functions.find(&message.domain, &message.op_type, &message.overload) {
            return self.call(function, &place, inputs, outputs, attributes, depth, into);
        }
        if !message.overload.is_empty() {
            return Err(DecodeError::Unsupported { place, what: "an overload of a function".to_owned() });
        }
        let read = |(key, item)| Ok::<_, DecodeError>((key, self.attribute(item, &place, scope, depth)?));
        into.push(Node {
            metadata: entries(message.metadata_props, &place)?,
            name: scope.rename(&message.name),
            op_type: message.op_type,
            domain: message.domain,
            inputs,
            outputs,
            attributes: attributes.into_iter().map(read).collect::<Result<_, _>>()?,
            doc: message.doc_string,
        });
        Ok(())
    }

    /// Appends the nodes of a function with the inputs, outputs and attributes of a call.
    fn call(
        &self,
        function: &proto::Function,
        place: &str,
        inputs: Vec<String>,
        outputs: Vec<String>,
        attributes: BTreeMap<String, proto::Attribute>,
        depth: usize,
        into: &mut Vec<Node>,
    ) -> Result<(), DecodeError> {
        let calls = self.calls.get() + function.node.len();
        self.calls.set(calls);
        let what = match () {
            () if depth > MAX_DEPTH => format!("functions that call one another more than {MAX_DEPTH} deep"),
            () if calls > MAX_CALLED => format!("functions that stand for more than {MAX_CALLED} nodes"),
            () if inputs.len() > function.input.len() || outputs.len() > function.output.len() => {
                "more inputs or outputs than the function has".to_owned()
            }
            () if attributes.values().any(|item| item.g.is_some() || !item.graphs.is_empty()) => {
                "a graph as an attribute of a function".to_owned()
            }
            () => {
                let scope = Scope::new(function, calls, &inputs, &outputs, attributes)?;
                for bytes in &function.node {
                    self.node(proto::Node::decode(bytes.clone())?, &scope, depth + 1, into)?;
                }
                into.extend(scope.handed_on(function, &outputs));
                return Ok(());
            }
        };
        Err(DecodeError::Unsupported { place: place.to_owned(), what })
    }

    fn attribute(
        &self,
        message: proto::Attribute,
        node: &str,
        scope: &Scope,
        depth: usize,
    ) -> Result<Attribute, DecodeError> {
        let name = message.name.clone();
        let bad = |problem| DecodeError::Attribute { node: node.to_owned(), attribute: name.clone(), problem };
        let unsupported = |what: &str| DecodeError::Unsupported {
            place: format!("attribute {name:?} of {node}"),
            what: what.to_owned(),
        };
        if !message.ref_attr_name.is_empty() {
            return Err(unsupported("a reference to a function's attribute"));
        }
        let used = [
            (kind::FLOAT, message.f.is_some()),
            (kind::INT, message.i.is_some()),
            (kind::STRING, message.s.is_some()),
            (kind::TENSOR, message.t.is_some()),
            (kind::GRAPH, message.g.is_some()),
            (kind::FLOATS, !message.floats.is_empty()),
            (kind::INTS, !message.ints.is_empty()),
            (kind::STRINGS, !message.strings.is_empty()),
            (kind::TENSORS, !message.tensors.is_empty()),
            (kind::GRAPHS, !message.graphs.is_empty()),
        ];
        let mut used = used.into_iter().filter(|(_, used)| *used).map(|(kind, _)| kind);
        let ty = match (message.r#type, used.next(), used.next()) {
            (_, _, Some(_)) => return Err(bad("has more than one value")),
            // Files of IR version 1 did not say the type.
            (0, Some(found), None) => found,
            (0, None, None) => return Err(bad("has no value")),
            (said, Some(found), None) if said != found => return Err(bad("says another type than its value has")),
            (said, _, None) => said,
        };
        let text = |bytes: Bytes| String::from_utf8(bytes.into()).map_err(|_| bad("is no UTF-8 text"));
        let absent = || bad("has no value");
        Ok(match ty {
            kind::FLOAT => Attribute::Float(message.f.ok_or_else(absent)?),
            kind::INT => Attribute::Int(message.i.ok_or_else(absent)?),
            kind::STRING => Attribute::String(text(message.s.ok_or_else(absent)?)?),
            kind::TENSOR => Attribute::Tensor(tensor(*message.t.ok_or_else(absent)?)?),
            kind::GRAPH => Attribute::Graph(Box::new(self.graph(*message.g.ok_or_else(absent)?, scope, depth + 1)?)),
            kind::FLOATS => Attribute::Floats(message.floats),
            kind::INTS => Attribute::Ints(message.ints),
            kind::STRINGS => Attribute::Strings(message.strings.into_iter().map(text).collect::<Result<_, _>>()?),
            kind::TENSORS => {
                Attribute::Tensors(message.tensors.into_iter().map(decode_tensor).collect::<Result<_, _>>()?)
            }
            kind::GRAPHS => {
                let read = |bytes: Bytes| self.graph(proto::Graph::decode(bytes)?, scope, depth + 1);
                named(&message.graphs, "a graph", "name")?;
                Attribute::Graphs(message.graphs.into_iter().map(read).collect::<Result<_, _>>()?)
            }
            other => return Err(unsupported(&format!("attribute type {other}"))),
        })
    }
}

/// Refuses messages that are too short for a name, before there is room for what becomes of them.
fn named(messages: &[Bytes], place: &str, what: &'static str) -> Result<(), DecodeError> {
    match messages.iter().any(|bytes| bytes.len() < 3) {
        true => Err(DecodeError::Missing { place: place.to_owned(), what }),
        false => Ok(()),
    }
}

/// The name and type of an input or output, in words where the type is none that this crate reads.
pub fn describe_value(bytes: Vec<u8>) -> Option<(String, String)> {
    let message = proto::ValueInfo::decode(Bytes::from(bytes)).ok()?;
    let name = message.name.clone();
    let ty = match value_info(message, &Scope::default()) {
        Ok(value) => value.ty.map_or_else(String::new, |ty| ty.to_string()),
        Err(DecodeError::Unsupported { what, .. }) => what,
        Err(_) => return None,
    };
    Some((name, ty))
}

fn value_info(message: proto::ValueInfo, scope: &Scope) -> Result<ValueInfo, DecodeError> {
    let place = format!("value {:?}", message.name);
    let ty = match message.r#type.and_then(|ty| ty.value) {
        None => None,
        Some(proto::TypeValue::Tensor(ty)) => Some(tensor_type(ty, &place)?),
        Some(other) => {
            let what = match other {
                proto::TypeValue::Sequence(_) => "a sequence type",
                proto::TypeValue::Map(_) => "a map type",
                proto::TypeValue::Opaque(_) => "an opaque type",
                proto::TypeValue::SparseTensor(_) => "a sparse tensor type",
                _ => "an optional type",
            };
            return Err(DecodeError::Unsupported { place, what: what.to_owned() });
        }
    };
    Ok(ValueInfo { name: scope.rename(&message.name), ty, doc: message.doc_string })
}

fn tensor_type(message: proto::TensorType, place: &str) -> Result<TensorType, DecodeError> {
    let dim = |dimension: proto::Dimension| match dimension.value {
        None => Ok::<_, DecodeError>(Dim::Unknown),
        Some(proto::DimensionValue::DimParam(name)) if name.is_empty() => Ok(Dim::Unknown),
        Some(proto::DimensionValue::DimParam(name)) => Ok(Dim::Symbol(name)),
        Some(proto::DimensionValue::DimValue(size)) => Ok(Dim::Known(unsigned(size, place)?)),
    };
    let shape = message.shape.map(|shape| shape.dim.into_iter().map(dim).collect::<Result<Vec<_>, _>>()).transpose()?;
    Ok(TensorType { dtype: data_type(message.elem_type, place)?, shape })
}

fn entries(entries: Vec<proto::Entry>, place: &str) -> Result<BTreeMap<String, String>, DecodeError> {
    let mut map = BTreeMap::new();
    for entry in entries {
        let key = entry.key.unwrap_or_default();
        if map.insert(key.clone(), entry.value.unwrap_or_default()).is_some() {
            return Err(DecodeError::Duplicate { place: place.to_owned(), key: format!("the note {key}") });
        }
    }
    Ok(map)
}
