//! Functions that a model defines: in this crate they stand where they are called, so that nothing else need know of them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use prost::Message;

use super::decode_error::DecodeError;
use super::messages as proto;
use crate::{Node, schema};

/// The functions of a model by domain, name and overload.
#[derive(Default)]
pub struct Functions(HashMap<(String, String, String), proto::Function>);

impl Functions {
    /// Reads them; operator sets that they alone import join those of the model.
    pub fn new(functions: Vec<Bytes>, model: &mut BTreeMap<String, i64>) -> Result<Self, DecodeError> {
        let mut all = HashMap::new();
        for bytes in functions {
            let function = proto::Function::decode(bytes)?;
            let place = format!("function {:?}", function.name);
            for (domain, version) in imports(function.opset_import.clone(), &place)? {
                // Both names are in use for ONNX's own set.
                let other = if domain.is_empty() { "ai.onnx" } else { "" };
                let twin = matches!(domain.as_str(), "" | "ai.onnx").then(|| model.get(other).copied()).flatten();
                let held = twin.unwrap_or_else(|| *model.entry(domain.clone()).or_insert(version));
                if held != version && !means_the_same(&function, &domain, held, version)? {
                    let what = format!("operators of {domain:?} version {version} in a model of version {held}");
                    return Err(DecodeError::Unsupported { place, what });
                }
            }
            let key = (function.domain.clone(), function.name.clone(), function.overload.clone());
            if all.insert(key, function).is_some() {
                return Err(DecodeError::Duplicate { place: "the model".to_owned(), key: place });
            }
        }
        Ok(Self(all))
    }

    /// The function that an operator is.
    pub fn find(&self, domain: &str, op_type: &str, overload: &str) -> Option<&proto::Function> {
        if self.0.is_empty() {
            return None;
        }
        self.0.get(&(domain.to_owned(), op_type.to_owned(), overload.to_owned()))
    }
}

/// The version of each operator set.
pub fn imports(sets: Vec<proto::OperatorSetId>, place: &str) -> Result<BTreeMap<String, i64>, DecodeError> {
    let mut imports = BTreeMap::new();
    for import in sets {
        let domain = import.domain.unwrap_or_default();
        let missing = || DecodeError::Missing { place: place.to_owned(), what: "opset version" };
        let version = import.version.ok_or_else(missing)?;
        if imports.insert(domain.clone(), version).is_some() {
            return Err(DecodeError::Duplicate { place: place.to_owned(), key: format!("operator set {domain}") });
        }
    }
    Ok(imports)
}

/// Whether the operators of a function are the same ones at both versions of a domain.
fn means_the_same(function: &proto::Function, domain: &str, one: i64, other: i64) -> Result<bool, DecodeError> {
    for bytes in &function.node {
        let node = proto::Node::decode(bytes.clone())?;
        let since = |opset| schema::find(&node.op_type, opset).map(|schema| schema.since);
        // Graphs inside hold operators that are not looked at here.
        let simple = node.attribute.iter().all(|item| {
            proto::Attribute::decode(item.clone()).is_ok_and(|item| item.g.is_none() && item.graphs.is_empty())
        });
        let own = matches!(domain, "" | "ai.onnx");
        if node.domain == domain && !(simple && own && since(one).is_some() && since(one) == since(other)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the names in a function mean at a call. At the top every name means itself.
#[derive(Default)]
pub struct Scope {
    /// The values of the caller; `None` at the top.
    names: Option<HashMap<String, String>>,
    /// What the function's own names begin with.
    prefix: String,
    attributes: BTreeMap<String, proto::Attribute>,
}

impl Scope {
    /// The scope of a call, which is the `count`-th.
    pub fn new(
        function: &proto::Function,
        count: usize,
        inputs: &[String],
        outputs: &[String],
        attributes: BTreeMap<String, proto::Attribute>,
    ) -> Result<Self, DecodeError> {
        let absent = inputs.iter().map(String::as_str).chain(std::iter::repeat(""));
        let mut names: HashMap<_, _> =
            function.input.iter().zip(absent).map(|(formal, given)| (formal.clone(), given.to_owned())).collect();
        for (formal, wanted) in function.output.iter().zip(outputs).filter(|(_, wanted)| !wanted.is_empty()) {
            names.entry(formal.clone()).or_insert_with(|| wanted.clone());
        }
        let mut scope = Self { names: Some(names), prefix: format!("{}.{count}/", function.name), attributes };
        for bytes in &function.attribute_proto {
            let default = proto::Attribute::decode(bytes.clone())?;
            scope.attributes.entry(default.name.clone()).or_insert(default);
        }
        Ok(scope)
    }

    /// The name outside of the function.
    pub fn rename(&self, name: &str) -> String {
        match &self.names {
            Some(_) if name.is_empty() => String::new(),
            Some(names) => names.get(name).cloned().unwrap_or_else(|| format!("{}{name}", self.prefix)),
            None => name.to_owned(),
        }
    }

    /// The attribute with the value of the call that it refers to; `None` where the call leaves it out.
    pub fn attribute(&self, item: proto::Attribute) -> Option<proto::Attribute> {
        match (item.ref_attr_name.as_str(), &self.names) {
            ("", _) | (_, None) => Some(item),
            (wanted, Some(_)) => {
                let found = self.attributes.get(wanted)?.clone();
                Some(proto::Attribute { name: item.name, ..found })
            }
        }
    }

    /// Copies of outputs that are inputs of the function as well, or that it gives twice.
    pub fn handed_on(&self, function: &proto::Function, outputs: &[String]) -> Vec<Node> {
        let wanted = function.output.iter().zip(outputs).filter(|(_, wanted)| !wanted.is_empty());
        let apart = wanted.filter(|(formal, wanted)| self.rename(formal) != **wanted);
        apart.map(|(formal, wanted)| Node::new("Identity").input(self.rename(formal)).output(wanted)).collect()
    }
}
