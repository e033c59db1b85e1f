//! `infer eval all`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use cli::eval::{EvalAlexnetArgs, EvalAllArgs, EvalBertQaArgs, EvalMnistArgs};
use infer::candle_bert;

use super::{alexnet, bert_qa, mnist};

/// The options of a network with every default.
#[derive(Parser)]
struct Defaults<A: clap::Args> {
    #[command(flatten)]
    arguments: A,
}

fn defaults<A: clap::Args>() -> Result<A> {
    Ok(Defaults::<A>::try_parse_from(["eval"])?.arguments)
}

/// Evaluates every network, whatever becomes of the others. The exit status says whether all passed.
pub fn execute(arguments: &EvalAllArgs) -> Result<ExitCode> {
    let measure = &arguments.measure;
    if measure.json || measure.compare.is_some() || measure.against.is_some() {
        bail!(
            "--json, --compare and --against are for one network; the reports of all are in their folders below artifacts"
        );
    }
    // candle has BERT alone.
    let without_candle = || {
        let mut measure = measure.clone();
        measure.engines.engines.retain(|name| name != candle_bert::NAME);
        measure
    };
    let mnist = || mnist::execute(&EvalMnistArgs { measure: without_candle(), ..defaults()? });
    let alexnet = || {
        let images = arguments.images.clone();
        alexnet::execute(&EvalAlexnetArgs { measure: without_candle(), images, ..defaults()? })
    };
    let bert = || {
        let hf_dir = arguments.hf_dir.clone();
        bert_qa::execute(&EvalBertQaArgs { measure: measure.clone(), hf_dir, ..defaults()? })
    };
    let networks: [(&str, &dyn Fn() -> Result<ExitCode>); 3] =
        [("mnist", &mnist), ("alexnet", &alexnet), ("bert-qa", &bert)];
    let mut failed = Vec::new();
    for (name, evaluate) in networks {
        crate::print(&format!("\n{name}\n\n"))?;
        match evaluate() {
            Ok(code) if code == ExitCode::SUCCESS => {}
            Ok(_) => failed.push(name),
            Err(error) => {
                eprintln!("error: {name}: {}", cli::failure::sentence(error.as_ref()));
                failed.push(name);
            }
        }
    }
    match failed.is_empty() {
        true => crate::print("\nAll networks passed.\n")?,
        false => crate::print(&format!("\nFAILED: {}.\n", failed.join(", ")))?,
    }
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
