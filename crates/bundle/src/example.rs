//! Tensors in the JSON of the Open Inference Protocol (KServe v2), which Triton speaks.

use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use engines::engine::Signature;
use engines::tensor::{ElementType, Elements, NamedTensor, Tensor};

/// An inference request: what is posted to `v2/models/NAME/infer`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceRequest {
    /// The request's own name, which comes back in the response.
    pub id: String,
    /// The inputs.
    pub inputs: Vec<JsonTensor>,
    /// The outputs that are asked for.
    pub outputs: Vec<RequestedOutput>,
}

/// An output that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestedOutput {
    /// Its name.
    pub name: String,
}

/// An inference response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceResponse {
    /// The model that answered.
    pub model_name: String,
    /// Its version.
    pub model_version: String,
    /// The request's name.
    pub id: String,
    /// The outputs.
    pub outputs: Vec<JsonTensor>,
}

/// A tensor in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JsonTensor {
    /// The name of the input or output.
    pub name: String,
    /// The size of each dimension.
    pub shape: Vec<usize>,
    /// The type: `FP32`, `INT64`.
    pub datatype: String,
    /// The elements, row-major.
    pub data: Vec<Value>,
}

/// The name of a type in the protocol.
pub fn datatype(element: ElementType) -> &'static str {
    match element {
        ElementType::Float => "FP32",
        ElementType::Double => "FP64",
        ElementType::Float16 => "FP16",
        ElementType::Bfloat16 => "BF16",
        ElementType::Int64 => "INT64",
        ElementType::Int32 => "INT32",
        ElementType::Int16 => "INT16",
        ElementType::Int8 => "INT8",
        ElementType::Uint64 => "UINT64",
        ElementType::Uint32 => "UINT32",
        ElementType::Uint16 => "UINT16",
        ElementType::Uint8 => "UINT8",
        ElementType::Bool => "BOOL",
        ElementType::String => "BYTES",
    }
}

impl InferenceRequest {
    /// A request for every output of a network.
    pub fn new(id: &str, inputs: &[NamedTensor], signature: &Signature) -> Self {
        let outputs = signature.outputs.iter().map(|output| RequestedOutput { name: output.name.clone() });
        Self { id: id.to_owned(), inputs: inputs.iter().map(JsonTensor::of).collect(), outputs: outputs.collect() }
    }
}

impl JsonTensor {
    /// A tensor as JSON. A 32-bit number is written with the digits that tell it from its neighbours.
    pub fn of(named: &NamedTensor) -> Self {
        let elements = named.tensor.elements();
        let data = match elements {
            Elements::F32(values) => {
                values.iter().map(|value| shortest(&value.to_string(), f64::from(*value))).collect()
            }
            Elements::F16(values) => values.iter().map(|value| Value::from(value.to_f32())).collect(),
            Elements::BF16(values) => values.iter().map(|value| Value::from(value.to_f32())).collect(),
            Elements::F64(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::I64(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::I32(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::I16(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::U64(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::U32(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::U16(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::I8(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::U8(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::Bool(values) => values.iter().map(|value| Value::from(*value)).collect(),
            Elements::Text(values) => values.iter().map(|value| Value::from(value.as_str())).collect(),
        };
        Self {
            name: named.name.clone(),
            shape: named.tensor.shape().to_vec(),
            datatype: datatype(elements.element_type()).to_owned(),
            data,
        }
    }

    /// The tensor that the JSON stands for.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn tensor(&self) -> Result<NamedTensor, String> {
        let wrong = || format!("`{}` holds values that are no {}", self.name, self.datatype);
        let floats = || self.data.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>().ok_or_else(wrong);
        let whole = || self.data.iter().map(Value::as_i64).collect::<Option<Vec<i64>>>().ok_or_else(wrong);
        let elements: Elements = match self.datatype.as_str() {
            "FP32" => floats()?.into_iter().map(|value| value as f32).collect::<Vec<_>>().into(),
            "FP64" => floats()?.into(),
            "FP16" => floats()?.into_iter().map(f16::from_f64).collect::<Vec<_>>().into(),
            "INT64" => whole()?.into(),
            "BF16" => floats()?.into_iter().map(bf16::from_f64).collect::<Vec<_>>().into(),
            "INT16" => narrow::<i16>(whole()?).ok_or_else(wrong)?.into(),
            "UINT64" => self.data.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>().ok_or_else(wrong)?.into(),
            "UINT32" => narrow::<u32>(whole()?).ok_or_else(wrong)?.into(),
            "UINT16" => narrow::<u16>(whole()?).ok_or_else(wrong)?.into(),
            "INT32" => narrow::<i32>(whole()?).ok_or_else(wrong)?.into(),
            "INT8" => narrow::<i8>(whole()?).ok_or_else(wrong)?.into(),
            "UINT8" => narrow::<u8>(whole()?).ok_or_else(wrong)?.into(),
            "BOOL" => self.data.iter().map(Value::as_bool).collect::<Option<Vec<bool>>>().ok_or_else(wrong)?.into(),
            "BYTES" => {
                let texts = self.data.iter().map(|value| value.as_str().map(str::to_owned));
                texts.collect::<Option<Vec<String>>>().ok_or_else(wrong)?.into()
            }
            other => return Err(format!("`{}` is of the type {other}, which is not handled", self.name)),
        };
        let tensor = Tensor::new(self.shape.clone(), elements).map_err(|error| format!("`{}`: {error}", self.name))?;
        Ok(NamedTensor::new(&self.name, tensor))
    }
}

/// The shortest text of a number as a JSON number; the value itself where the text is none.
fn shortest(text: &str, value: f64) -> Value {
    text.parse::<f64>().map_or(Value::from(value), Value::from)
}

fn narrow<T: TryFrom<i64>>(values: Vec<i64>) -> Option<Vec<T>> {
    values.into_iter().map(|value| T::try_from(value).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_comes_back_as_it_was() {
        let all: [Elements; 14] = [
            vec!["a \"b\"".to_owned(), String::new()].into(),
            vec![0.1_f32, -1e-30, 3.4e38].into(),
            vec![0.1_f64].into(),
            vec![f16::from_f32(0.333)].into(),
            vec![i64::MAX, -1].into(),
            vec![i32::MIN].into(),
            vec![-128_i8].into(),
            vec![bf16::from_f32(0.333)].into(),
            vec![i16::MIN].into(),
            vec![u64::MAX].into(),
            vec![u32::MAX].into(),
            vec![u16::MAX].into(),
            vec![255_u8].into(),
            vec![true, false].into(),
        ];
        for elements in all {
            let named = NamedTensor::new("x", Tensor::new([elements.len()], elements).unwrap());
            let text = serde_json::to_string(&JsonTensor::of(&named)).unwrap();
            assert_eq!(serde_json::from_str::<JsonTensor>(&text).unwrap().tensor().unwrap(), named, "{text}");
        }
        let named = NamedTensor::new("x", Tensor::new([1], vec![0.1_f32]).unwrap());
        assert!(serde_json::to_string(&JsonTensor::of(&named)).unwrap().ends_with("\"data\":[0.1]}"));
    }

    #[test]
    fn what_is_no_tensor_is_told() {
        let tensor = |datatype: &str, shape: &[usize], data: Value| JsonTensor {
            name: "x".to_owned(),
            shape: shape.to_vec(),
            datatype: datatype.to_owned(),
            data: data.as_array().unwrap().clone(),
        };
        assert!(tensor("INT8", &[1], serde_json::json!([128])).tensor().unwrap_err().contains("no INT8"));
        assert!(tensor("FP32", &[2], serde_json::json!([1.0])).tensor().unwrap_err().contains("[2]"));
        assert!(tensor("BYTES", &[1], serde_json::json!([1])).tensor().unwrap_err().contains("no BYTES"));
    }
}
