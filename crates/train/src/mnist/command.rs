//! From the options of `train mnist` to a run.

use anyhow::{Result, bail};
use cli::train::{DigitArgs, DigitRecipe, Practice};
use terminal::program::note;

use crate::device::DeviceKind;
use crate::mnist::config::Config;
use crate::mnist::data::{self, Loaded};
use crate::mnist::training::DigitTraining;
use crate::outputs::Saved;
use crate::ranks::Ranks;
use crate::run::{Options, run};
use crate::schedule::Schedule;

/// Trains the MNIST CNN, together with the other `ranks` if there are any.
///
/// # Errors
/// When an option makes no sense, the data cannot be used, or the training ends early.
pub fn train(arguments: &DigitArgs, ranks: Option<Ranks<'_>>) -> Result<Option<Saved>> {
    let recipe = &arguments.recipe;
    let kind = DeviceKind::from(recipe.common.device());
    if ranks.is_some() && kind != DeviceKind::Flex {
        bail!("--mpi shares a training on CPUs: leave out --device {kind}");
    }
    let device = kind.open()?;
    let Loaded { data, classes, hashes, .. } = load(arguments)?;
    let config = Config { classes: classes.count, first_label: classes.first, ..config(recipe, kind)? };
    let training = DigitTraining::new(&config, &data, &device).shared(ranks);
    Ok(run(training, hashes, &Options::of(&arguments.run, &arguments.out))?.saved)
}

fn config(recipe: &DigitRecipe, device: DeviceKind) -> Result<Config> {
    let practice = match (recipe.recipe, recipe.gamma) {
        (Practice::Article, None) => Config::article(),
        (Practice::Article, Some(gamma)) => Config { schedule: Schedule::Step { gamma }, ..Config::article() },
        (Practice::Modern, None) => Config::modern(),
        (Practice::Modern, Some(_)) => {
            bail!("--gamma belongs to the article's recipe: the modern one has another schedule")
        }
    };
    Ok(Config {
        device,
        seed: recipe.common.seed,
        epochs: recipe.epochs(),
        batch_size: recipe.batch_size(),
        test_batch_size: recipe.test_batch_size,
        learning_rate: recipe.learning_rate(),
        limit: recipe.common.limit,
        dry_run: recipe.common.dry_run,
        ..practice
    })
}

/// The data set with as many training images as are asked for.
fn load(arguments: &DigitArgs) -> Result<Loaded> {
    let mut loaded = data::load(&arguments.data)?;
    if loaded.manifest.is_none() {
        let data = arguments.data.display();
        note(format_args!("note: no manifest declares {data}; its files are your own, and are taken as they are"));
    }
    let train = &mut loaded.data.train;
    if let Some(limit) = arguments.recipe.common.limit
        && limit > train.len()
    {
        bail!("--limit {limit} asks for more than the {} training images that there are", train.len());
    }
    train.truncate(arguments.recipe.common.limit.unwrap_or(usize::MAX));
    Ok(loaded)
}
