//! The module's parameters: names by path, bytes without copies, and stand-ins for the capture.
//!
//! The capture never sees a weight. Each parameter is replaced by an empty tensor of its shape, so that a trace costs
//! the same for a network of any size, and the weights stay where the module keeps them until the file is written.

use std::collections::HashMap;

use burn::backend::capture::TensorId;
use burn::backend::{Capture, Flex};
use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Bool, DType, Device, Int, Tensor};
use bytes::Bytes;

use super::signature::tensor_id;
use crate::error::ExportError;

/// A parameter of the module.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// The path of fields, `encoder.layers.0.attention.query.weight`.
    pub(crate) path: String,
    pub(crate) dtype: DType,
    pub(crate) shape: Vec<usize>,
    /// Little-endian elements in row-major order, shared with the module where it keeps them so.
    pub(crate) bytes: Bytes,
}

/// Replaces the parameters of `module` by stand-ins on `device`.
///
/// Returns the module and the tensors of its parameters, in the order of [`read`]. Call inside a capture scope.
pub(crate) fn stand_in<M: Module>(module: M, device: &Device) -> Result<(M, Vec<TensorId>), ExportError> {
    let mut mapper = StandIn { device, ids: Vec::new(), failure: None };
    let module = module.map(&mut mapper).to_device(device);
    match mapper.failure {
        Some(failure) => Err(failure),
        None => Ok((module, mapper.ids)),
    }
}

/// Reads the parameters of `module`, and for each visited tensor the index of its parameter.
///
/// A parameter met twice (tied weights) is one parameter with two tensors; its first path names it.
pub(crate) fn read<M: Module>(module: &M) -> Result<(Vec<Parameter>, Vec<usize>), ExportError> {
    let mut reader = Reader::default();
    let _ = module.clone().map(&mut reader);
    match reader.failure {
        Some(failure) => Err(failure),
        None => Ok((reader.parameters, reader.visits)),
    }
}

struct StandIn<'a> {
    device: &'a Device,
    ids: Vec<TensorId>,
    failure: Option<ExportError>,
}

macro_rules! map_stand_in {
    ($method:ident, $tensor:ty) => {
        fn $method<const D: usize>(&mut self, param: Param<$tensor>) -> Param<$tensor> {
            param.map(|tensor| {
                if matches!(tensor.dtype(), DType::QFloat(_)) {
                    // Refused by name when the parameters are read.
                    return tensor;
                }
                let empty = <$tensor>::empty(tensor.shape(), (self.device, tensor.dtype()));
                match tensor_id!(empty) {
                    Ok(id) => self.ids.push(id),
                    Err(error) => self.failure = Some(error),
                }
                empty
            })
        }
    };
}

impl ModuleMapper for StandIn<'_> {
    map_stand_in!(map_float, Tensor<D>);
    map_stand_in!(map_int, Tensor<D, Int>);
    map_stand_in!(map_bool, Tensor<D, Bool>);
}

#[derive(Default)]
struct Reader {
    path: Vec<String>,
    parameters: Vec<Parameter>,
    by_id: HashMap<ParamId, usize>,
    visits: Vec<usize>,
    failure: Option<ExportError>,
}

impl Reader {
    fn add(&mut self, id: ParamId, dtype: DType, shape: Vec<usize>, bytes: Bytes) {
        let path = self.path.join(".");
        if let Some(&index) = self.by_id.get(&id)
            && let Some(known) = self.parameters.get(index)
            && known.dtype == dtype
            && known.shape == shape
            && known.bytes == bytes
        {
            self.visits.push(index);
            return;
        }
        self.by_id.insert(id, self.parameters.len());
        self.visits.push(self.parameters.len());
        self.parameters.push(Parameter { path, dtype, shape, bytes });
    }
}

macro_rules! map_reader {
    ($method:ident, $tensor:ty) => {
        fn $method<const D: usize>(&mut self, param: Param<$tensor>) -> Param<$tensor> {
            let tensor = param.base();
            let (dtype, shape) = (tensor.dtype(), tensor.shape().to_vec());
            if matches!(dtype, DType::QFloat(_)) {
                self.failure = Some(ExportError::QuantizedParameter { path: self.path.join(".") });
                return param;
            }
            let bytes = match tensor.clone().try_into_primitive::<Flex>() {
                Ok(primitive) => {
                    let primitive = primitive.to_contiguous();
                    let expected = shape.iter().product::<usize>() * dtype.size();
                    if primitive.layout().start_offset() == 0 && primitive.bytes().len() == expected {
                        Bytes::from_owner(SharedStorage(primitive.data_arc()))
                    } else {
                        Bytes::from_owner(OwnedStorage(tensor.into_data().into_bytes()))
                    }
                }
                Err(_) => Bytes::from_owner(OwnedStorage(tensor.into_data().into_bytes())),
            };
            self.add(param.id, dtype, shape, bytes);
            param
        }
    };
}

impl ModuleMapper for Reader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_string());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    map_reader!(map_float, Tensor<D>);
    map_reader!(map_int, Tensor<D, Int>);
    map_reader!(map_bool, Tensor<D, Bool>);
}

struct SharedStorage(std::sync::Arc<burn::tensor::Bytes>);

impl AsRef<[u8]> for SharedStorage {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes handed over by a backend.
pub(crate) struct OwnedStorage(pub(crate) burn::tensor::Bytes);

impl AsRef<[u8]> for OwnedStorage {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
