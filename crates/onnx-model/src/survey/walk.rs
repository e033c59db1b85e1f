//! The walk through the messages of a file.

use std::collections::BTreeMap;
use std::io::{BufRead, Seek};

use super::wire::{Field, Wire};
use super::{Survey, SurveyError};
use crate::check::MAX_DEPTH;
use crate::external::{self, Wanted};
use crate::proto::{describe_value, external_data};
use crate::{DataType, Tensor, TensorData};

/// No network has more nodes, tensors, functions, or inputs and outputs.
const MOST: u64 = 1 << 20;

/// The messages that are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    OperatorSet,
    Graph,
    Node,
    Attribute,
    Tensor,
    Sparse,
    Function,
    Training,
    Value,
    Metadata,
}

/// The message in field `tag` of a message; `None` for what holds no tensors, graphs or names of interest.
fn inside(kind: Kind, tag: u64) -> Option<Kind> {
    Some(match (kind, tag) {
        (Kind::Model, 7) | (Kind::Attribute, 6 | 11) | (Kind::Training, 1 | 2) => Kind::Graph,
        (Kind::Model, 8) => Kind::OperatorSet,
        (Kind::Model, 14) => Kind::Metadata,
        (Kind::Model, 20) => Kind::Training,
        (Kind::Model, 25) => Kind::Function,
        (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
        (Kind::Graph, 5) | (Kind::Attribute, 5 | 10) | (Kind::Sparse, 1 | 2) => Kind::Tensor,
        (Kind::Graph, 15) | (Kind::Attribute, 22 | 23) => Kind::Sparse,
        (Kind::Graph, 11 | 12) => Kind::Value,
        (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
        _ => return None,
    })
}

/// Looks at a model of `length` bytes; `wanted` is what it asks of other files.
pub fn walk(
    input: impl BufRead + Seek,
    length: u64,
    wanted: &mut BTreeMap<String, Wanted>,
) -> Result<Survey, SurveyError> {
    let survey = Survey { bytes: length, ..Survey::default() };
    let mut walk = Walk { wire: Wire::new(input), survey, wanted, nodes: 0 };
    walk.message(Kind::Model, length, 0)?;
    match walk.survey.graphs {
        0 => Err(SurveyError::Structure("no graph")),
        _ => Ok(walk.survey),
    }
}

struct Walk<'a, R> {
    wire: Wire<R>,
    survey: Survey,
    wanted: &'a mut BTreeMap<String, Wanted>,
    nodes: u64,
}

impl<R: BufRead + Seek> Walk<'_, R> {
    /// A message that ends at `end`, in so many graphs.
    fn message(&mut self, kind: Kind, end: u64, depth: usize) -> Result<(), SurveyError> {
        let unusual = match kind {
            Kind::Tensor => return self.tensor(end).map(drop),
            Kind::Metadata => return self.metadata(end),
            Kind::Node => return self.node(end, depth),
            Kind::OperatorSet => return self.operator_set(end),
            Kind::Graph if depth > MAX_DEPTH => return Err(SurveyError::Structure("graphs nested too deep")),
            Kind::Graph => {
                self.survey.graphs = counted(self.survey.graphs, "graphs")?;
                self.survey.depth = self.survey.depth.max(depth + 1);
                None
            }
            Kind::Function => {
                self.survey.functions = counted(self.survey.functions, "functions")?;
                None
            }
            Kind::Training => Some("training information"),
            Kind::Sparse => Some("sparse tensors"),
            _ => None,
        };
        if let Some(unusual) = unusual.filter(|unusual| !self.survey.unusual.contains(unusual)) {
            self.survey.unusual.push(unusual);
        }
        while let Some((tag, field)) = self.wire.field(end)? {
            match (kind, tag, field) {
                (Kind::Model, 1, Field::Number(version)) => self.survey.ir_version = version as i64,
                (Kind::Model, 2, Field::Bytes(length)) => self.survey.producer_name = self.wire.text(length)?,
                (Kind::Model, 3, Field::Bytes(length)) => self.survey.producer_version = self.wire.text(length)?,
                (Kind::Graph, 2, Field::Bytes(length)) if depth == 0 => {
                    self.survey.graph_name = self.wire.text(length)?
                }
                (Kind::Graph, 5, Field::Bytes(length)) => {
                    let elements = self.tensor(self.wire.at + length)?;
                    self.survey.parameters = self.survey.parameters.saturating_add(elements);
                }
                (_, tag, Field::Bytes(length)) => match inside(kind, tag) {
                    Some(Kind::Value) => self.value(tag == 11, length, depth)?,
                    Some(inner) => {
                        let deeper = usize::from(matches!(kind, Kind::Graph | Kind::Function));
                        self.message(inner, self.wire.at + length, depth + deeper)?;
                    }
                    None => self.wire.skip(length, end)?,
                },
                (_, tag, _) if inside(kind, tag).is_some() => {
                    return Err(SurveyError::Structure("a number where a message belongs"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, end: u64, depth: usize) -> Result<(), SurveyError> {
        self.nodes = counted(self.nodes, "nodes")?;
        let (mut operator, mut domain) = (String::new(), String::new());
        while let Some((tag, field)) = self.wire.field(end)? {
            match (tag, field) {
                (4, Field::Bytes(length)) => operator = self.wire.text(length)?,
                (7, Field::Bytes(length)) => domain = self.wire.text(length)?,
                (5, Field::Bytes(length)) => self.message(Kind::Attribute, self.wire.at + length, depth)?,
                (_, Field::Bytes(length)) => self.wire.skip(length, end)?,
                _ => {}
            }
        }
        if operator.is_empty() {
            return Err(SurveyError::Structure("a node without an operator"));
        }
        let operator =
            if matches!(domain.as_str(), "" | "ai.onnx") { operator } else { format!("{domain}.{operator}") };
        *self.survey.operators.entry(operator).or_default() += 1;
        Ok(())
    }

    fn operator_set(&mut self, end: u64) -> Result<(), SurveyError> {
        let (mut domain, mut version) = (String::new(), 0);
        while let Some((tag, field)) = self.wire.field(end)? {
            match (tag, field) {
                (1, Field::Bytes(length)) => domain = self.wire.text(length)?,
                (2, Field::Number(number)) => version = number as i64,
                (_, Field::Bytes(length)) => self.wire.skip(length, end)?,
                _ => {}
            }
        }
        self.survey.opset_imports.insert(domain, version);
        Ok(())
    }

    /// An entry of what the model says of itself.
    fn metadata(&mut self, end: u64) -> Result<(), SurveyError> {
        let (mut key, mut value) = (String::new(), Vec::new());
        while let Some((tag, field)) = self.wire.field(end)? {
            match (tag, field) {
                (1, Field::Bytes(length)) => key = self.wire.text(length)?,
                (2, Field::Bytes(length)) if length > MOST => {
                    self.survey.unusual.push("an entry of metadata of more than 1 MiB");
                    self.wire.skip(length, end)?;
                }
                (2, Field::Bytes(length)) => value = self.wire.content(length, MOST)?,
                (_, Field::Bytes(length)) => self.wire.skip(length, end)?,
                _ => {}
            }
        }
        counted(self.survey.metadata.len() as u64, "entries of metadata")?;
        if let Ok(value) = String::from_utf8(value) {
            self.survey.metadata.insert(key, value);
        }
        Ok(())
    }

    /// An input or output; those of the main graph are described.
    fn value(&mut self, input: bool, length: u64, depth: usize) -> Result<(), SurveyError> {
        if depth > 0 {
            return self.wire.skip(length, u64::MAX);
        }
        let content = self.wire.content(length, MOST)?;
        let value = describe_value(content).ok_or(SurveyError::Structure("an input or output that cannot be read"))?;
        let values = if input { &mut self.survey.inputs } else { &mut self.survey.outputs };
        counted(values.len() as u64, "inputs or outputs")?;
        values.push(value);
        Ok(())
    }

    /// A tensor; how many elements it has.
    fn tensor(&mut self, end: u64) -> Result<u64, SurveyError> {
        self.survey.tensors = counted(self.survey.tensors, "tensors")?;
        let mut tensor = Tensor::vector::<u8>("", &[]);
        let (mut number, mut outside, mut entries, mut raw) = (0, false, Vec::new(), None);
        tensor.dims.clear();
        while let Some((tag, field)) = self.wire.field(end)? {
            match (tag, field) {
                (1, Field::Number(size)) => tensor.dims.push(size),
                // The sizes as one list.
                (1, Field::Bytes(length)) => {
                    let end = self.wire.at + length;
                    while self.wire.at < end {
                        tensor.dims.push(self.wire.varint(end)?);
                    }
                }
                (2, Field::Number(found)) => number = found,
                (8, Field::Bytes(length)) => tensor.name = self.wire.text(length)?,
                (13, Field::Bytes(length)) => entries.push(self.wire.content(length, MOST)?.into()),
                (14, Field::Number(location)) => outside = location == 1,
                (tag, Field::Bytes(length)) => {
                    if tag == 9 {
                        raw = Some(length);
                    }
                    if matches!(tag, 4..=7 | 9..=11) {
                        self.survey.tensor_bytes += length;
                    }
                    self.wire.skip(length, end)?;
                }
                _ => {}
            }
            if tensor.dims.len() > MAX_RANK || entries.len() > MAX_RANK {
                return Err(SurveyError::Structure("a tensor with too many axes or entries"));
            }
        }
        if tensor.dims.iter().any(|size| i64::try_from(*size).is_err()) {
            return Err(SurveyError::Structure("a tensor with a size below zero"));
        }
        let dtype = i32::try_from(number).ok().and_then(DataType::from_number);
        if let Some(dtype) = dtype {
            tensor.dtype = dtype;
        }
        let elements = tensor.dims.iter().fold(1_u64, |product, &size| product.saturating_mul(size));
        match (outside, dtype, raw) {
            // Entries without the mark are taken for values by some readers.
            (false, _, _) if !entries.is_empty() => {
                Err(SurveyError::Structure("a tensor that names another file and holds its values as well"))
            }
            (true, None | Some(DataType::String), _) => {
                Err(SurveyError::Structure("a tensor in another file whose element type is not known"))
            }
            (true, Some(_), _) => {
                let file = external_data(&tensor.name, entries);
                let file =
                    file.ok_or(SurveyError::Structure("a tensor that does not say well where its values lie"))?;
                tensor.data = TensorData::External(file);
                external::note(&tensor, self.wanted)?;
                Ok(elements)
            }
            (false, Some(dtype), Some(found)) if tensor.byte_len() != Some(found) => {
                let (dims, expected) = (format!("{dtype}{:?}", tensor.dims), tensor.byte_len().unwrap_or(u64::MAX));
                Err(SurveyError::Tensor { tensor: tensor.name, dims, found, expected })
            }
            _ => Ok(elements),
        }
    }
}

/// More axes than any tensor has.
const MAX_RANK: usize = 256;

/// One more, if there are not too many.
fn counted(count: u64, what: &'static str) -> Result<u64, SurveyError> {
    match count < MOST {
        true => Ok(count + 1),
        false => Err(SurveyError::Count { what, most: MOST }),
    }
}
