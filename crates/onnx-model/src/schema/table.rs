//! Reads the table of signatures, which `scripts/schemas.py` writes from ONNX's own definitions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Arity, AttributeKind, AttributeSchema, DataTypes, Formal, Schema};
use crate::{Attribute, DataType};

const TABLE: &str = include_str!("table.txt");

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| match parse(TABLE) {
    Ok(schemas) => schemas,
    // The table is part of this crate, and a test reads it whole.
    Err(line) => unreachable!("the operator table cannot be read at: {line}"),
});

pub fn schemas() -> &'static [Schema] {
    &SCHEMAS
}

type Sets = BTreeMap<&'static str, DataTypes>;

/// The table, or the line that is wrong.
fn parse(text: &'static str) -> Result<Vec<Schema>, &'static str> {
    let mut sets = Sets::new();
    let mut schemas = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if line.starts_with('$') {
            let (name, types) = line.split_once(' ').ok_or(line)?;
            sets.insert(name, data_types(types).ok_or(line)?);
        } else {
            schemas.push(schema(line, &sets).ok_or(line)?);
        }
    }
    // Operators stand in the alphabetical order of Python, which is that of bytes.
    Ok(schemas)
}

fn data_types(names: &str) -> Option<DataTypes> {
    names
        .split('|')
        .filter(|name| *name != "other")
        .try_fold(DataTypes::default(), |set, name| Some(set.with(DataType::from_name(name)?)))
}

/// `Name since [deprecated] (inputs) -> (outputs) {attributes} T=$1 U=$2`.
fn schema(line: &'static str, sets: &Sets) -> Option<Schema> {
    let (head, rest) = line.split_once(" (")?;
    let (inputs, rest) = rest.split_once(") -> (")?;
    let (outputs, rest) = rest.split_once(") {")?;
    let (attributes, rest) = rest.rsplit_once('}')?;
    let parameters = rest.split_whitespace().map(|item| {
        let (name, set) = item.split_once('=')?;
        Some((name, *sets.get(set)?))
    });
    let parameters = parameters.collect::<Option<Sets>>()?;
    let mut head = head.split(' ');
    Some(Schema {
        name: head.next()?,
        since: head.next()?.parse().ok()?,
        deprecated: head.next() == Some("deprecated"),
        inputs: formals(inputs, &parameters, sets)?,
        outputs: formals(outputs, &parameters, sets)?,
        attributes: split_attributes(attributes).into_iter().map(attribute).collect::<Option<_>>()?,
    })
}

/// `X:T, min?:T, rest*1:T`.
fn formals(text: &'static str, parameters: &Sets, sets: &Sets) -> Option<Vec<Formal>> {
    let formal = |item: &'static str| {
        let (name, ty) = item.split_once(':')?;
        let (name, arity) = match name.find(['?', '*', '~']) {
            None => (name, Arity::Single),
            Some(at) if name[at..].starts_with('?') => (&name[..at], Arity::Optional),
            Some(at) => {
                let min = name[at + 1..].parse().ok()?;
                (&name[..at], Arity::Variadic { min, homogeneous: name[at..].starts_with('*') })
            }
        };
        let (parameter, types) = match sets.get(ty) {
            Some(types) => (None, *types),
            None => (Some(ty), *parameters.get(ty)?),
        };
        Some(Formal { name, arity, parameter, types })
    };
    text.split(", ").filter(|item| !item.is_empty()).map(formal).collect()
}

/// Splits at commas outside of lists.
fn split_attributes(text: &'static str) -> Vec<&'static str> {
    let mut depth = 0;
    text.split(|c: char| {
        depth += i32::from(c == '[') - i32::from(c == ']');
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|item| !item.is_empty())
    .collect()
}

/// `axis:int=0`, `to:int!`, `value:tensor`.
fn attribute(text: &'static str) -> Option<AttributeSchema> {
    let (name, rest) = text.split_once(':')?;
    let (kind, default) = match rest.split_once('=') {
        Some((kind, default)) => (kind, Some(default)),
        None => (rest, None),
    };
    let (kind, required) = match kind.strip_suffix('!') {
        Some(kind) => (kind, true),
        None => (kind, false),
    };
    let kind = match kind {
        "float" => AttributeKind::Float,
        "int" => AttributeKind::Int,
        "string" => AttributeKind::String,
        "tensor" => AttributeKind::Tensor,
        "graph" => AttributeKind::Graph,
        "floats" => AttributeKind::Floats,
        "ints" => AttributeKind::Ints,
        "strings" => AttributeKind::Strings,
        "tensors" => AttributeKind::Tensors,
        "graphs" => AttributeKind::Graphs,
        "sparse_tensor" | "sparse_tensors" | "type_proto" | "type_protos" => AttributeKind::Other,
        _ => return None,
    };
    let default = match default {
        Some(text) => Some(value(kind, text)?),
        None => None,
    };
    Some(AttributeSchema { name, kind, required, default })
}

/// A default value in JSON's notation.
fn value(kind: AttributeKind, text: &str) -> Option<Attribute> {
    fn items<T: std::str::FromStr>(text: &str) -> Option<Vec<T>> {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.split(',').map(str::trim).filter(|item| !item.is_empty()).map(|item| item.parse().ok()).collect()
    }
    fn unquoted(text: &str) -> Option<String> {
        let inner = text.trim().strip_prefix('"')?.strip_suffix('"')?;
        (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
    }
    Some(match kind {
        AttributeKind::Float => Attribute::Float(text.parse().ok()?),
        AttributeKind::Int => Attribute::Int(text.parse().ok()?),
        AttributeKind::String => Attribute::String(unquoted(text)?),
        AttributeKind::Floats => Attribute::Floats(items(text)?),
        AttributeKind::Ints => Attribute::Ints(items(text)?),
        AttributeKind::Strings => {
            let inner = text.strip_prefix('[')?.strip_suffix(']')?;
            let items = inner.split(',').filter(|item| !item.trim().is_empty());
            Attribute::Strings(items.map(unquoted).collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let schemas = parse(TABLE).expect("a line that is no signature");
        assert!(schemas.is_sorted_by_key(|schema| (schema.name, schema.since)));
        let lines = TABLE.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphabetic())).count();
        assert_eq!(schemas.len(), lines);
    }
}
