//! `infer predict`.

mod digits;
pub mod engines;
mod pictures;
mod questions;

use std::path::PathBuf;
use std::process::ExitCode;

use ::engines::engine::Signature;
use anyhow::Result;
use catalogue::{Card, TaskKind};
use cli::predict::PredictArgs;
use cli::task::suit;
use models::imagenet::Preprocessing;
use networks::images::{Images, range};
use networks::network::Network as _;
use networks::with_network;

use self::engines::{Network, Opened, threads, wanted};
use crate::task::{Asked, shape};

/// Predicts and prints. The exit status says whether all engines give the same.
pub fn execute(arguments: &PredictArgs) -> Result<ExitCode> {
    let card = arguments.network.card();
    suit(card.name, card.task, arguments.given()).map_err(anyhow::Error::msg)?;
    let known = with_network!(arguments.network, N => Known {
        card,
        signature: shape::<N>(card, &asked(arguments, &weights(arguments)))?,
        what: N::WHAT,
        preprocessing: N::PREPROCESSING,
    });
    match card.task {
        TaskKind::Digits => digits::execute(arguments, &known),
        TaskKind::Pictures => pictures::execute(arguments, &known),
        TaskKind::Questions => questions::execute(arguments, &known),
    }
}

/// What is known of a network without its type.
struct Known {
    card: &'static Card,
    signature: Signature,
    what: &'static str,
    preprocessing: Preprocessing,
}

impl Known {
    /// The images that it takes.
    fn images(&self) -> Result<Images> {
        Ok(Images::of(&self.signature, range(&self.preprocessing))?)
    }

    /// The engines that are asked for.
    fn open(&self, arguments: &PredictArgs) -> Result<Opened> {
        let names = wanted(&arguments.engines)?;
        let weights = weights(arguments);
        let model = arguments.model.clone().unwrap_or_else(|| self.card.model());
        let network = Network {
            card: self.card,
            signature: &self.signature,
            what: self.what,
            model: &model,
            weights: &weights,
            folder: networks::evaluate::folder(self.card, &weights),
            threads: threads(&arguments.engines),
        };
        Opened::each(&names, &network, arguments.engines.sandbox)
    }
}

fn weights(arguments: &PredictArgs) -> PathBuf {
    arguments.weights.clone().unwrap_or_else(|| arguments.network.card().weights())
}

fn asked<'a>(arguments: &'a PredictArgs, weights: &'a std::path::Path) -> Asked<'a> {
    Asked { data: &arguments.task, weights, limit: None, squad: None, sequence: None, question: None }
}
