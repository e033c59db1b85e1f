//! Networks in tract, an ONNX runtime in Rust.
//!
//! tract optimises a network for fixed shapes, so a plan is made for each set of input shapes and kept. It computes on
//! the thread that calls it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tract_onnx::pb::{ModelProto, tensor_proto::DataLocation};
use tract_onnx::prelude::{
    Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoRunnable, TValue, TractError, TypedRunnableModel,
};

use engines::engine::{Engine, EngineError, Placement, PlacementPart, Signature};
use engines::runtime::one_line;
use engines::session::Metadata;
use engines::tensor::NamedTensor;

/// The engine's name.
pub const NAME: &str = "tract";

/// Plans that are kept; more shapes than these push the oldest out.
const PLANS: usize = 16;

/// The shape of every input, in the order of the signature.
type Shapes = Vec<Vec<usize>>;

/// A network that tract has loaded.
pub struct TractEngine {
    path: PathBuf,
    model: InferenceModel,
    signature: Signature,
    metadata: Metadata,
    plans: HashMap<Shapes, Arc<TypedRunnableModel>>,
    /// The keys of `plans`, the oldest first.
    order: Vec<Shapes>,
}

impl TractEngine {
    /// Loads a model file. That an operator is unknown to tract shows when a plan is made: at the first run.
    ///
    /// # Errors
    /// When the file cannot be read or is no model that tract understands.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EngineError> {
        let path = path.as_ref().to_owned();
        let failed = |reason: String| EngineError::Load { engine: NAME.to_owned(), path: path.clone(), reason };
        // Declared shapes inside the graph and of its outputs name axes that a plan gives sizes to.
        let reader = tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
        let proto = reader.proto_model_for_path(&path).map_err(|error| failed(reason(&error)))?;
        if keeps_weights_elsewhere(&proto) {
            // tract reads whatever file the model names; this refuses those outside of its folder.
            onnx_model::Model::load(&path).map_err(|error| failed(terminal::failure::sentence(&error)))?;
        }
        let signature = crate::signature::of(&proto);
        let metadata = crate::signature::metadata(&proto);
        let folder = path.parent().and_then(Path::to_str);
        let parsed = reader.parse(&proto, folder).map_err(|error| failed(reason(&error)))?;
        if let Some(input) = parsed.unresolved_inputs.first() {
            return Err(failed(format!("nothing in the graph makes `{input}`")));
        }
        Ok(Self { path, model: parsed.model, signature, metadata, plans: HashMap::new(), order: Vec::new() })
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The plan for inputs of these shapes.
    fn plan(&mut self, shapes: Shapes) -> Result<Arc<TypedRunnableModel>, EngineError> {
        if let Some(plan) = self.plans.get(&shapes) {
            return Ok(Arc::clone(plan));
        }
        let plan = self.optimise(&shapes).map_err(|error| EngineError::Load {
            engine: NAME.to_owned(),
            path: self.path.clone(),
            reason: reason(&error),
        })?;
        if self.order.len() == PLANS {
            self.plans.remove(&self.order.remove(0));
        }
        self.order.push(shapes.clone());
        self.plans.insert(shapes, Arc::clone(&plan));
        Ok(plan)
    }

    fn optimise(&self, shapes: &Shapes) -> Result<Arc<TypedRunnableModel>, TractError> {
        let mut model = self.model.clone();
        for (index, shape) in shapes.iter().enumerate() {
            let known = model.input_fact(index)?.datum_type;
            let fact = InferenceFact::default().with_shape(shape.as_slice());
            model.set_input_fact(index, InferenceFact { datum_type: known, ..fact })?;
        }
        model.into_optimized()?.into_runnable()
    }
}

impl Engine for TractEngine {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn run(&mut self, inputs: &[NamedTensor]) -> Result<Vec<NamedTensor>, EngineError> {
        let ordered = ordered(&self.signature, inputs)?;
        let plan = self.plan(ordered.iter().map(|input| input.tensor.shape().to_vec()).collect())?;
        let failed = |error: TractError| EngineError::Run { engine: NAME.to_owned(), reason: reason(&error) };
        let values = ordered.iter().map(|input| Ok(TValue::from(crate::convert::to_tract(&input.tensor)?)));
        let values = values.collect::<Result<_, TractError>>().map_err(failed)?;
        let outputs = plan.run(values).map_err(failed)?;
        let named = self.signature.outputs.iter().zip(outputs);
        named
            .filter(|(declared, _)| declared.element.is_some())
            .map(|(declared, value)| {
                Ok(NamedTensor::new(&declared.name, crate::convert::from_tract(declared, &value)?))
            })
            .collect()
    }

    /// Everything runs on the CPU, in the nodes that optimisation left.
    fn placement(&mut self, inputs: &[NamedTensor]) -> Result<Placement, EngineError> {
        let ordered = ordered(&self.signature, inputs)?;
        let plan = self.plan(ordered.iter().map(|input| input.tensor.shape().to_vec()).collect())?;
        let nodes = plan.model().nodes().iter().filter(|node| !node.inputs.is_empty());
        let node_names: Vec<String> = nodes.map(|node| format!("{} ({})", node.name, node.op.name())).collect();
        let part = PlacementPart {
            // tract times no node; there is nowhere else to be.
            provider: "the CPU, its only place".to_owned(),
            nodes: node_names.len(),
            node_share: 1.0,
            time_share: 1.0,
            node_names,
        };
        Ok(Placement { parts: vec![part], ..Placement::default() })
    }
}

/// The inputs in the order of the signature.
fn ordered<'a>(signature: &Signature, inputs: &'a [NamedTensor]) -> Result<Vec<&'a NamedTensor>, EngineError> {
    let refused = |name: &str, reason: &str| EngineError::Input {
        engine: NAME.to_owned(),
        name: name.to_owned(),
        reason: reason.to_owned(),
    };
    let known = |input: &&NamedTensor| signature.inputs.iter().any(|declared| declared.name == input.name);
    if let Some(stranger) = inputs.iter().find(|input| !known(input)) {
        return Err(refused(&stranger.name, "the network has no such input"));
    }
    let find =
        |name: &str| inputs.iter().find(|input| input.name == name).ok_or_else(|| refused(name, "it is missing"));
    signature.inputs.iter().map(|declared| find(&declared.name)).collect()
}

/// Whether a weight of the main graph lies in another file.
fn keeps_weights_elsewhere(proto: &ModelProto) -> bool {
    let external = Some(DataLocation::External as i32);
    proto.graph.iter().flat_map(|graph| &graph.initializer).any(|tensor| tensor.data_location == external)
}

/// What tract says, the cause last.
pub fn reason(error: &TractError) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    one_line(&causes.join(": "))
}
