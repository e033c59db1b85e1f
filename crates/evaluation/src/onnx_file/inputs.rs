//! Inputs for a model of which nothing is known but its signature.

use std::collections::BTreeMap;

use half::{bf16, f16};

use super::domains::{Domain, Domains};
use super::expression;
use super::ranges::Ranges;
use crate::random::uniform;
use engines::engine::{Dimension, Signature, TensorInfo};
use engines::tensor::{ElementType, Elements, NamedTensor, ShapeError, Tensor, count};

/// The sizes of dynamic axes by name.
pub type Sizes = BTreeMap<String, usize>;

/// More elements than an input may have: 1 Gi.
const MAX_ELEMENTS: usize = 1 << 30;

/// Why no inputs could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputsError {
    /// A size was given for an axis that the model does not have.
    #[error("the model has no dynamic axis `{axis}`; {}", listed(axes))]
    UnknownAxis {
        /// The axis.
        axis: String,
        /// The axes that it has.
        axes: Vec<String>,
    },
    /// An input is of a type for which no values can be made up.
    #[error(
        "the input `{name}` is of the type {kind}, for which no values can be made up; --inputs FILE --only-inputs runs on yours"
    )]
    Unsupported {
        /// The input.
        name: String,
        /// Its type.
        kind: String,
    },
    /// The sizes make an input too large.
    #[error("the input `{name}` would have the shape {shape:?}, which is too large")]
    TooLarge {
        /// The input.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Inputs of the user's own that cannot be repeated to make others.
    #[error("the inputs of --inputs cannot be repeated for {sizes}, since one of them is empty or of another rank")]
    NotRepeated {
        /// The sizes that they were to have.
        sizes: String,
    },
    /// Elements that do not fill their shape.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// The dynamic axes of a model in a part of a sentence.
pub fn listed(axes: &[String]) -> String {
    match axes {
        [] => "all its sizes are fixed".to_owned(),
        axes => format!("it has {}", axes.join(", ")),
    }
}

/// The dynamic axes in the order of the inputs. One without a name is called by its input and index: `x.0`. What is written as
/// arithmetic over others, such as `2*batch`, is none of its own.
pub fn dynamic_axes(signature: &Signature) -> Vec<String> {
    let mut axes = Vec::new();
    for input in &signature.inputs {
        for index in 0..input.shape.len() {
            if let Some(axis) = axis_name(input, index)
                && !axes.contains(&axis)
            {
                axes.push(axis);
            }
        }
    }
    let names: Vec<&str> = axes.iter().map(String::as_str).collect();
    let plain = axes.iter().filter(|axis| !expression::is_derived(axis, &names));
    plain.cloned().collect()
}

/// What exporters write for a size that has no name.
const NAMELESS: [&str; 6] = ["-1", "?", "*", "None", "none", "null"];

/// The signature whose axes are named as they are meant: what stands for no name is none, and a name that two sizes of these inputs
/// have is that of no axis.
pub fn with_true_axes(signature: &Signature, inputs: &[NamedTensor]) -> Signature {
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut of_two: Vec<String> = NAMELESS.map(str::to_owned).to_vec();
    for info in &signature.inputs {
        let Some(given) = inputs.iter().find(|given| given.name == info.name) else { continue };
        for (declared, &size) in info.shape.iter().zip(given.tensor.shape()) {
            if let Dimension::Named(name) = declared
                && *sizes.entry(name).or_insert(size) != size
            {
                of_two.push(name.clone());
            }
        }
    }
    let mut true_one = signature.clone();
    for dimension in true_one.inputs.iter_mut().flat_map(|info| &mut info.shape) {
        if matches!(dimension, Dimension::Named(name) if of_two.contains(name)) {
            *dimension = Dimension::Unknown;
        }
    }
    true_one
}

/// The dynamic axis that counts items: `batch`, `batch_size` or `N`, or else the first axis of the first input.
pub fn batch_axis(signature: &Signature) -> Option<String> {
    let axes = dynamic_axes(signature);
    let named = ["batch", "batch_size", "N"].into_iter().find(|name| axes.iter().any(|axis| axis == name));
    named.map(str::to_owned).or_else(|| axis_name(signature.inputs.first()?, 0))
}

/// What a dynamic axis is called; `None` if it is fixed or not there.
pub fn axis_name(input: &TensorInfo, index: usize) -> Option<String> {
    match input.shape.get(index)? {
        Dimension::Fixed(_) => None,
        Dimension::Named(name) => Some(name.clone()),
        Dimension::Unknown => Some(format!("{}.{index}", input.name)),
    }
}

/// The size of every dynamic axis: as given, or the least of its range, or 1.
///
/// # Errors
/// When a size is given for an axis that is not there.
pub fn base_sizes(signature: &Signature, given: &Sizes, ranges: &Ranges) -> Result<Sizes, InputsError> {
    let axes = dynamic_axes(signature);
    if let Some(axis) = given.keys().find(|axis| !axes.contains(axis)) {
        return Err(InputsError::UnknownAxis { axis: axis.clone(), axes });
    }
    let least = |axis: &String| ranges.get(axis).map_or(1, |range| range.nth(0));
    Ok(axes.into_iter().map(|axis| (axis.clone(), given.get(&axis).copied().unwrap_or_else(|| least(&axis)))).collect())
}

/// The type and the number of elements of every input at these sizes; what is not handled counts as nothing.
pub fn elements(signature: &Signature, sizes: &Sizes) -> Vec<(ElementType, usize)> {
    let of = |input: &TensorInfo| Some((input.element?, count(&shape(input, sizes)).unwrap_or(usize::MAX)));
    signature.inputs.iter().filter_map(of).collect()
}

/// The sizes of the dynamic axes that these inputs have.
pub fn sizes_of(signature: &Signature, inputs: &[NamedTensor]) -> Sizes {
    let mut sizes = Sizes::new();
    let axes = dynamic_axes(signature);
    for info in &signature.inputs {
        let Some(given) = inputs.iter().find(|given| given.name == info.name) else { continue };
        for (index, &size) in given.tensor.shape().iter().enumerate() {
            if let Some(axis) = axis_name(info, index).filter(|axis| axes.contains(axis)) {
                sizes.insert(axis, size);
            }
        }
    }
    sizes
}

/// The beginning of inputs: as much along every dynamic axis as `sizes` says. `None` if there is less.
pub fn cut(signature: &Signature, inputs: &[NamedTensor], sizes: &Sizes) -> Option<Vec<NamedTensor>> {
    let kept = |given: &NamedTensor| {
        let Some(info) = signature.inputs.iter().find(|info| info.name == given.name) else {
            // A tensor of a container has no axes that are declared.
            return Some(given.clone());
        };
        Some(NamedTensor::new(&given.name, given.tensor.beginning(&shape(info, sizes))?))
    };
    inputs.iter().map(kept).collect()
}

/// Inputs of these sizes out of others, which come again where there are too few. `None` where there are none.
pub fn cycled(signature: &Signature, inputs: &[NamedTensor], sizes: &Sizes) -> Option<Vec<NamedTensor>> {
    let one = |given: &NamedTensor| {
        let Some(info) = signature.inputs.iter().find(|info| info.name == given.name) else {
            return Some(given.clone());
        };
        Some(NamedTensor::new(&given.name, given.tensor.cycled(&shape(info, sizes))?))
    };
    inputs.iter().map(one).collect()
}

fn shape(input: &TensorInfo, sizes: &Sizes) -> Vec<usize> {
    let size = |index: usize| match input.shape.get(index) {
        Some(Dimension::Fixed(size)) => *size,
        _ => {
            let size = |axis: String| sizes.get(&axis).copied().or_else(|| expression::evaluate(&axis, sizes));
            axis_name(input, index).and_then(size).unwrap_or(1)
        }
    };
    (0..input.shape.len()).map(size).collect()
}

/// Random inputs of these sizes, within their domains. The same seed gives the same values.
///
/// # Errors
/// When an input is of a type that is not handled, or too large.
pub fn random_inputs(
    signature: &Signature,
    sizes: &Sizes,
    seed: u64,
    domains: &Domains,
) -> Result<Vec<NamedTensor>, InputsError> {
    let one = |(seed, input): (u64, &TensorInfo)| random_input(input, sizes, seed, domains.get(&input.name));
    (seed..).zip(&signature.inputs).map(one).collect()
}

fn random_input(input: &TensorInfo, sizes: &Sizes, seed: u64, domain: Domain) -> Result<NamedTensor, InputsError> {
    let shape = shape(input, sizes);
    let unsupported = || InputsError::Unsupported { name: input.name.clone(), kind: input.kind() };
    let element = input.element.ok_or_else(unsupported)?;
    let Some(count) = count(&shape).filter(|&count| count <= MAX_ELEMENTS) else {
        return Err(InputsError::TooLarge { name: input.name.clone(), shape });
    };
    let (low, high) = domain.floats;
    let floats = || uniform(seed, count, low, high).into_iter();
    let (first, beyond) = domain.whole;
    // Of small types the last that they hold is the highest.
    let whole = |most: i64| {
        let span = (beyond.min(most.saturating_add(1)) - first).max(1) as f32;
        uniform(seed, count, 0.0, span).into_iter().map(move |x| first + x as i64)
    };
    let bits = || uniform(seed, count, 0.0, 2.0).into_iter().map(|x| x >= 1.0);
    let elements: Elements = match element {
        ElementType::Float => floats().collect::<Vec<_>>().into(),
        ElementType::Double => floats().map(f64::from).collect::<Vec<_>>().into(),
        ElementType::Float16 => floats().map(f16::from_f32).collect::<Vec<_>>().into(),
        ElementType::Bfloat16 => floats().map(bf16::from_f32).collect::<Vec<_>>().into(),
        ElementType::Int64 => whole(i64::MAX).collect::<Vec<_>>().into(),
        ElementType::Int32 => whole(i32::MAX.into()).map(|x| x as i32).collect::<Vec<_>>().into(),
        ElementType::Int16 => whole(i16::MAX.into()).map(|x| x as i16).collect::<Vec<_>>().into(),
        ElementType::Int8 => whole(i8::MAX.into()).map(|x| x as i8).collect::<Vec<_>>().into(),
        ElementType::Uint64 => whole(i64::MAX).map(|x| x as u64).collect::<Vec<_>>().into(),
        ElementType::Uint32 => whole(u32::MAX.into()).map(|x| x as u32).collect::<Vec<_>>().into(),
        ElementType::Uint16 => whole(u16::MAX.into()).map(|x| x as u16).collect::<Vec<_>>().into(),
        ElementType::Uint8 => whole(u8::MAX.into()).map(|x| x as u8).collect::<Vec<_>>().into(),
        ElementType::Bool => bits().collect::<Vec<_>>().into(),
        ElementType::String => return Err(unsupported()),
    };
    Ok(NamedTensor::new(&input.name, Tensor::new(shape, elements)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature() -> Signature {
        let input = |name: &str, element, shape: Vec<Dimension>| TensorInfo {
            name: name.to_owned(),
            element,
            other: None,
            container: None,
            shape,
        };
        let named = |name: &str| Dimension::Named(name.to_owned());
        Signature {
            inputs: vec![
                input("x", Some(ElementType::Float), vec![named("batch"), Dimension::Fixed(3), Dimension::Unknown]),
                input("ids", Some(ElementType::Int64), vec![named("batch"), named("sequence")]),
            ],
            outputs: Vec::new(),
        }
    }

    #[test]
    fn items_are_counted_along_the_axis_of_that_name_or_the_first() {
        let of = |axes: [Dimension; 2]| {
            let input =
                TensorInfo { name: "x".to_owned(), element: None, other: None, container: None, shape: axes.to_vec() };
            batch_axis(&Signature { inputs: vec![input], outputs: Vec::new() })
        };
        let named = |name: &str| Dimension::Named(name.to_owned());
        assert_eq!(of([named("sequence"), named("batch_size")]).as_deref(), Some("batch_size"));
        assert_eq!(of([Dimension::Unknown, named("width")]).as_deref(), Some("x.0"));
        assert_eq!(of([Dimension::Fixed(1), named("width")]), None);
    }

    #[test]
    fn sizes_are_as_given_or_one() {
        assert_eq!(dynamic_axes(&signature()), ["batch", "x.2", "sequence"]);
        let sizes =
            base_sizes(&signature(), &[("batch".to_owned(), 4), ("x.2".to_owned(), 5)].into(), &Ranges::new()).unwrap();
        let inputs = random_inputs(&signature(), &sizes, 1, &Domains::default()).unwrap();
        assert_eq!((inputs[0].tensor.shape(), inputs[1].tensor.shape()), (&[4, 3, 5][..], &[4, 1][..]));
        assert_eq!(inputs, random_inputs(&signature(), &sizes, 1, &Domains::default()).unwrap());
        assert!(inputs[0].tensor.to_f64().iter().all(|x| x.abs() <= 1.0));
        assert!(inputs[1].tensor.to_f64().iter().all(|&x| x == 0.0 || x == 1.0));
    }

    /// By hand: of the rows 0 1 2, 3 4 5 and 6 7 8 the first two of two are 0 1 and 3 4.
    #[test]
    fn inputs_are_cut_along_their_dynamic_axes() {
        let named = |name: &str, shape: &[usize]| {
            let count = shape.iter().product::<usize>() as i64;
            NamedTensor::new(name, Tensor::new(shape, (0..count).collect::<Vec<i64>>()).unwrap())
        };
        let inputs = [named("ids", &[3, 3]), named("x", &[3, 3, 2])];
        let sizes = sizes_of(&signature(), &inputs);
        assert_eq!(sizes, [("batch".to_owned(), 3), ("sequence".to_owned(), 3), ("x.2".to_owned(), 2)].into());
        assert_eq!(cut(&signature(), &inputs, &sizes).unwrap(), inputs);
        let smaller = [("batch".to_owned(), 2), ("sequence".to_owned(), 2), ("x.2".to_owned(), 1)].into();
        let cut_off = cut(&signature(), &inputs, &smaller).unwrap();
        assert_eq!(cut_off[0].tensor, Tensor::new([2, 2], vec![0_i64, 1, 3, 4]).unwrap());
        assert_eq!(cut_off[1].tensor, Tensor::new([2, 3, 1], vec![0_i64, 2, 4, 6, 8, 10]).unwrap());
        let larger = [("batch".to_owned(), 4), ("sequence".to_owned(), 2), ("x.2".to_owned(), 1)].into();
        assert_eq!(cut(&signature(), &inputs, &larger), None);
    }

    #[test]
    fn what_cannot_be_made_up_is_named() {
        let unknown =
            base_sizes(&signature(), &[("Batch".to_owned(), 4)].into(), &Ranges::new()).unwrap_err().to_string();
        assert_eq!(unknown, "the model has no dynamic axis `Batch`; it has batch, x.2, sequence");
        let mut text = signature();
        (text.inputs[0].element, text.inputs[0].other) = (None, Some("float8e4m3fn".to_owned()));
        let refused = random_inputs(&text, &Sizes::new(), 1, &Domains::default()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "the input `x` is of the type float8e4m3fn, for which no values can be made up; --inputs FILE --only-inputs runs on yours"
        );
        let huge = [("batch".to_owned(), usize::MAX)].into();
        assert!(
            random_inputs(&signature(), &huge, 1, &Domains::default()).unwrap_err().to_string().contains("too large")
        );
    }

    /// By hand: at batch 3 the second axis of `y` is 6, and `?` is a size of its own.
    #[test]
    fn axes_are_what_exporters_mean() {
        let named = |name: &str| Dimension::Named(name.to_owned());
        let input = |name: &str, shape: Vec<Dimension>| TensorInfo {
            name: name.to_owned(),
            element: Some(ElementType::Float),
            other: None,
            container: None,
            shape,
        };
        let declared = Signature {
            inputs: vec![
                input("x", vec![named("batch"), named("?"), named("n")]),
                input("y", vec![named("2*batch"), named("-1"), named("n")]),
            ],
            outputs: Vec::new(),
        };
        let plain = with_true_axes(&declared, &[]);
        assert_eq!(dynamic_axes(&plain), ["batch", "x.1", "n", "y.1"]);
        let sizes =
            base_sizes(&plain, &[("batch".to_owned(), 3), ("y.1".to_owned(), 5)].into(), &Ranges::new()).unwrap();
        let inputs = random_inputs(&plain, &sizes, 1, &Domains::default()).unwrap();
        assert_eq!((inputs[0].tensor.shape(), inputs[1].tensor.shape()), (&[3, 1, 1][..], &[6, 5, 1][..]));
        assert_eq!(sizes_of(&plain, &inputs), sizes);
        // One name for two sizes of the user's own inputs.
        let own = [("x", [1, 1, 4]), ("y", [2, 1, 9])].map(|(name, shape)| {
            NamedTensor::new(name, Tensor::new(shape, vec![0.0_f32; shape.iter().product()]).unwrap())
        });
        let split = with_true_axes(&declared, &own);
        assert_eq!(dynamic_axes(&split), ["batch", "x.1", "x.2", "y.1", "y.2"]);
        assert_eq!(sizes_of(&split, &own)["y.2"], 9);
    }

    #[test]
    fn values_lie_in_their_domains() {
        let graph = onnx_model::Graph::new("net")
            .input(onnx_model::ValueInfo::new("x", onnx_model::DataType::F32, [onnx_model::Dim::from("batch")]))
            .input(onnx_model::ValueInfo::new("ids", onnx_model::DataType::I64, [onnx_model::Dim::from("batch")]))
            .node(onnx_model::Node::new("Log").input("x").output("y"))
            .node(onnx_model::Node::new("Gather").inputs(["table", "ids"]).output("rows"))
            .initializer(onnx_model::Tensor::from_slice("table", [300, 1], &[0.5_f32; 300]).unwrap());
        let domains = Domains::of(&onnx_model::Model::new(13, graph));
        let sizes = [("batch".to_owned(), 64), ("x.2".to_owned(), 3), ("sequence".to_owned(), 9)].into();
        let inputs = random_inputs(&signature(), &sizes, 1, &domains).unwrap();
        assert!(inputs[0].tensor.to_f64().iter().all(|x| (0.05..=1.0).contains(x)));
        let ids = inputs[1].tensor.to_f64();
        assert!(ids.iter().all(|id| (0.0..300.0).contains(id)) && ids.iter().any(|id| *id > 250.0));
    }
}
