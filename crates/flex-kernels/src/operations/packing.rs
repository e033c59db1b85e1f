//! Weights that are made ready for a kernel once, when they are first used.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::flex::FlexTensor;

/// What is ready, for tensors as long as somebody else holds them.
///
/// A tensor that is held here is shared, so Burn never changes its values in place, and its memory is nobody else's: where they
/// lie says which they are.
static READY: Mutex<Option<HashMap<Key, Ready>>> = Mutex::new(None);

#[derive(PartialEq, Eq, Hash)]
struct Key {
    tensors: Vec<Place>,
    kind: TypeId,
}

/// Where the values of a tensor lie.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    memory: usize,
    offset: usize,
    shape: Vec<usize>,
}

struct Ready {
    tensors: Vec<FlexTensor>,
    value: Arc<dyn Any + Send + Sync>,
}

/// What `make` makes of `tensors`: now, or when it was first asked for. Tensors and a type have one way of being made ready.
pub(super) fn ready<T: Send + Sync + 'static>(tensors: &[&FlexTensor], make: impl FnOnce() -> T) -> Arc<T> {
    let place = |tensor: &&FlexTensor| Place {
        memory: tensor.bytes().as_ptr() as usize,
        offset: tensor.layout().start_offset(),
        shape: tensor.layout().shape().to_vec(),
    };
    let key = Key { tensors: tensors.iter().map(place).collect(), kind: TypeId::of::<T>() };
    let found = |all: &HashMap<Key, Ready>| Arc::clone(&all.get(&key)?.value).downcast().ok();
    let lock = || READY.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(value) = lock().as_ref().and_then(found) {
        return value;
    }
    let value = Arc::new(make());
    let mut all = lock();
    let all = all.get_or_insert_with(HashMap::new);
    all.retain(|_, ready| !ready.tensors.iter().any(FlexTensor::is_unique));
    all.insert(key, Ready { tensors: tensors.iter().map(|&tensor| tensor.clone()).collect(), value: value.clone() });
    value
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    fn tensor(values: &[f32]) -> FlexTensor {
        FlexTensor::from_data(TensorData::new(values.to_vec(), [values.len()]))
    }

    fn sum(tensor: &FlexTensor) -> f32 {
        *ready(&[tensor], || tensor.as_slice::<f32>().unwrap().iter().sum::<f32>())
    }

    #[test]
    fn a_tensor_is_made_ready_once_and_forgotten_with_it() {
        let first = tensor(&[1.0, 2.0, 3.0]);
        assert_eq!(sum(&first), 6.0);
        assert_eq!(*ready::<f32>(&[&first.clone()], || unreachable!("it is ready")), 6.0);
        let mut changed = first.clone();
        changed.storage_mut::<f32>()[0] = 10.0;
        assert_eq!((sum(&changed), sum(&first)), (15.0, 6.0));
        let memory = first.bytes().as_ptr() as usize;
        drop(first);
        sum(&tensor(&[4.0]));
        let all = READY.lock().unwrap();
        assert!(all.as_ref().unwrap().keys().all(|key| key.tensors[0].memory != memory));
    }
}
