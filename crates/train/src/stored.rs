//! The tensors of a training by name, as a checkpoint holds them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Float32 tensors by name.
#[derive(Debug, Clone, Default)]
pub struct Stored(BTreeMap<String, TensorData>);

impl Stored {
    /// Enters a tensor.
    pub fn put<const D: usize>(&mut self, name: String, tensor: &Tensor<D>) {
        self.put_data(name, tensor.to_data());
    }

    /// Enters the values of a tensor.
    pub fn put_data(&mut self, name: String, data: TensorData) {
        self.0.insert(name, data);
    }

    /// Enters every parameter of a module, `prefix` before its path.
    pub fn put_module<M: Module>(&mut self, prefix: &str, module: &M) {
        module.visit(&mut Collector { prefix, path: Vec::new(), stored: self });
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TensorData)> {
        self.0.iter().map(|(name, data)| (name.as_str(), data))
    }

    /// Takes a tensor out.
    ///
    /// # Errors
    /// When it is missing, or is not float32 of this shape.
    pub fn take<const D: usize>(&mut self, name: &str, shape: &[usize], device: &Device) -> Result<Tensor<D>, String> {
        let data = self.0.remove(name).ok_or_else(|| format!("it lacks the tensor {name}"))?;
        let found = data.shape().to_vec();
        if data.dtype() != DType::F32 || found != shape {
            return Err(format!("its tensor {name} is {:?} {found:?}, not F32 {shape:?}", data.dtype()));
        }
        Ok(Tensor::from_data(data, device))
    }

    /// Replaces every parameter of `module` by what [`put_module`](Self::put_module) entered of it.
    ///
    /// # Errors
    /// As [`take`](Self::take), of any parameter.
    pub fn take_module<M: Module>(&mut self, prefix: &str, module: M) -> Result<M, String> {
        let mut restorer = Restorer { prefix, path: Vec::new(), stored: self, problem: None };
        let module = module.map(&mut restorer);
        restorer.problem.map_or(Ok(module), Err)
    }

    /// Says that everything was taken.
    ///
    /// # Errors
    /// When something is left.
    pub fn nothing_left(&self) -> Result<(), String> {
        match self.0.keys().next() {
            Some(name) => Err(format!("it holds the tensor {name}, which this network has not")),
            None => Ok(()),
        }
    }
}

/// The path of each parameter of a module, in the order of its fields, with the number of its elements.
pub fn sizes<M: Module>(module: &M) -> Vec<(String, usize)> {
    let mut lister = Lister { path: Vec::new(), found: Vec::new() };
    module.visit(&mut lister);
    lister.found
}

struct Collector<'a> {
    prefix: &'a str,
    path: Vec<String>,
    stored: &'a mut Stored,
}

impl ModuleVisitor for Collector<'_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = format!("{}{}", self.prefix, self.path.join("."));
        self.stored.put_data(name, param.val().into_data());
    }
}

struct Restorer<'a> {
    prefix: &'a str,
    path: Vec<String>,
    stored: &'a mut Stored,
    problem: Option<String>,
}

impl ModuleMapper for Restorer<'_> {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = format!("{}{}", self.prefix, self.path.join("."));
        let (shape, device) = (param.lazy_shape(), param.lazy_device());
        match self.stored.take(&name, &shape.to_vec(), &device) {
            Ok(tensor) => {
                let id = param.id;
                param.transform_for_load(tensor, id)
            }
            Err(problem) => {
                self.problem.get_or_insert(problem);
                param
            }
        }
    }
}

struct Lister {
    path: Vec<String>,
    found: Vec<(String, usize)>,
}

impl ModuleVisitor for Lister {
    fn enter_module(&mut self, name: &str, _kind: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _kind: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push((self.path.join("."), param.lazy_shape().num_elements()));
    }
}
