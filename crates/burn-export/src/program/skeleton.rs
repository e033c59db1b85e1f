//! An operation without its sizes: what has to agree between traces, and the numbers that may follow an axis.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use burn::backend::capture::TensorId;
use burn::backend::ir::{IrVisitorMut, OperationIr, ScalarIr, TensorIr, TensorStatus};
use burn::tensor::Shape;
use serde_json::Value;

/// The parts of an operation.
pub(super) struct Skeleton {
    frame: Rc<Frame>,
    /// Tensors by order of appearance in the trace.
    tensors: Vec<u64>,
    pub(super) scalars: Vec<ScalarIr>,
    ranks: Vec<usize>,
}

/// What an operation is without its tensors and scalars.
struct Frame {
    name: String,
    /// Everything but numbers: names of fields, flags, modes, element types.
    fields: Vec<(String, Value)>,
    /// Whole numbers that are neither shapes nor identities, by place.
    numbers: Vec<(String, i64)>,
}

/// The frames seen so far. A network repeats few of them often, in each layer and in each trace, and taking one apart costs more
/// than the recording of the operation.
#[derive(Default)]
pub(crate) struct Frames {
    /// By the hash of the operation.
    known: RefCell<HashMap<u64, Vec<Known>>>,
}

/// An operation without its tensors and scalars, and what it is.
struct Known {
    blank: OperationIr,
    frame: Rc<Frame>,
}

impl Frames {
    fn of(&self, operation: &OperationIr, blank: OperationIr) -> Rc<Frame> {
        let mut hasher = DefaultHasher::new();
        blank.hash(&mut hasher);
        let mut known = self.known.borrow_mut();
        let alike = known.entry(hasher.finish()).or_default();
        if let Some(known) = alike.iter().find(|known| known.blank == blank) {
            return known.frame.clone();
        }
        let frame = Rc::new(Frame::new(operation, &blank));
        alike.push(Known { blank, frame: frame.clone() });
        frame
    }
}

impl Frame {
    fn new(operation: &OperationIr, blank: &OperationIr) -> Self {
        let tree = serde_json::to_value(blank).unwrap_or(Value::Null);
        let mut fields = Vec::new();
        let mut numbers = Vec::new();
        flatten(&tree, &mut String::new(), &mut fields, &mut numbers);
        let name = match operation {
            OperationIr::Custom(operation) => {
                operation.id.split_once('(').map_or(&*operation.id, |(name, _)| name).into()
            }
            _ => name_of(&tree),
        };
        Self { name, fields, numbers }
    }

    fn agrees_with(&self, other: &Self) -> bool {
        self.fields == other.fields
            && self.numbers.len() == other.numbers.len()
            && self.numbers.iter().zip(&other.numbers).all(|(left, right)| left.0 == right.0)
    }
}

impl Skeleton {
    /// `order` numbers the tensors of the trace as they appear.
    pub(super) fn new(operation: &OperationIr, order: &mut HashMap<TensorId, u64>, frames: &Frames) -> Self {
        let mut blank = operation.clone();
        let mut blanker = Blanker { order, tensors: Vec::new(), ranks: Vec::new(), scalars: Vec::new() };
        blank.visit_mut(&mut blanker);
        let (tensors, ranks, scalars) = (blanker.tensors, blanker.ranks, blanker.scalars);
        Self { frame: frames.of(operation, blank), tensors, scalars, ranks }
    }

    /// `NumericFloat::Add`.
    pub(super) fn name(&self) -> &str {
        &self.frame.name
    }

    /// Whole numbers that are neither shapes nor identities, by place.
    pub(super) fn numbers(&self) -> &[(String, i64)] {
        &self.frame.numbers
    }

    /// Whether both are the same operation on the same tensors, up to sizes and numbers.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        self.tensors == other.tensors
            && self.ranks == other.ranks
            && self.scalars.len() == other.scalars.len()
            && (Rc::ptr_eq(&self.frame, &other.frame) || self.frame.agrees_with(&other.frame))
    }
}

struct Blanker<'a> {
    order: &'a mut HashMap<TensorId, u64>,
    tensors: Vec<u64>,
    ranks: Vec<usize>,
    scalars: Vec<ScalarIr>,
}

impl IrVisitorMut for Blanker<'_> {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        let next = self.order.len() as u64;
        self.tensors.push(*self.order.entry(tensor.id).or_insert(next));
        self.ranks.push(tensor.shape.to_vec().len());
        tensor.id = TensorId::new(0);
        tensor.shape = Shape::from(Vec::<usize>::new());
        tensor.status = TensorStatus::ReadOnly;
    }

    fn visit_scalar_mut(&mut self, scalar: &mut ScalarIr) {
        self.scalars.push(*scalar);
        *scalar = match scalar {
            ScalarIr::Float(_) => ScalarIr::Float(0.0),
            ScalarIr::Int(_) => ScalarIr::Int(0),
            ScalarIr::UInt(_) => ScalarIr::UInt(0),
            ScalarIr::Bool(value) => ScalarIr::Bool(*value),
        };
    }
}

fn flatten(value: &Value, place: &mut String, frame: &mut Vec<(String, Value)>, numbers: &mut Vec<(String, i64)>) {
    let length = place.len();
    match value {
        Value::Object(fields) => {
            frame.push((place.clone(), Value::from(fields.len())));
            for (name, field) in fields {
                place.push('/');
                place.push_str(name);
                flatten(field, place, frame, numbers);
                place.truncate(length);
            }
        }
        Value::Array(items) => {
            frame.push((place.clone(), Value::from(items.len())));
            for (index, item) in items.iter().enumerate() {
                place.push('/');
                place.push_str(&index.to_string());
                flatten(item, place, frame, numbers);
                place.truncate(length);
            }
        }
        Value::Number(number) if number.as_i64().is_some() => {
            numbers.push((short(place), number.as_i64().unwrap_or_default()));
        }
        other => frame.push((place.clone(), other.clone())),
    }
}

/// The place within the operation, without the names of the operation.
fn short(place: &str) -> String {
    let mut rest = place;
    while let Some((_, tail)) = rest.strip_prefix('/').and_then(|path| path.split_once('/')) {
        let name = tail.split('/').next().unwrap_or_default();
        rest = &rest[rest.len() - tail.len() - 1..];
        if name.chars().next().is_some_and(char::is_lowercase) {
            break;
        }
    }
    rest.to_string()
}

fn name_of(tree: &Value) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut current = tree;
    loop {
        current = match current {
            Value::Object(fields) => match fields.iter().next() {
                Some((name, inner)) if name.chars().next().is_some_and(char::is_uppercase) => {
                    parts.push(name);
                    inner
                }
                _ => break,
            },
            Value::Array(items) => match items.last() {
                Some(inner) => inner,
                None => break,
            },
            Value::String(name) => {
                parts.push(name);
                break;
            }
            _ => break,
        };
    }
    parts.join("::")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lose_the_names_of_the_operation() {
        assert_eq!(short("/Module/Conv2d/options/stride/0"), "/options/stride/0");
        assert_eq!(short("/NumericFloat/1/AddScalar/rhs/Float"), "/rhs/Float");
        assert_eq!(short("/BaseFloat/RepeatDim/times"), "/times");
    }
}
