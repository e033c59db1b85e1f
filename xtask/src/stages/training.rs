//! The stages that train a network, and what they are told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::pipeline::Stage;
use catalogue::{Card, DATASETS, FineTuning};
use clap::ValueEnum;
use cli::train::{CommonRecipe, DigitRecipe, QuestionRecipe};
use serde_json::{Value, json};

use super::{Files, Plan, Task, Weights, declared, entry, fetch, words};
use crate::programs::Program;
use crate::run::Pipeline;

/// What decides the trained weights, by option.
type Parameters = BTreeMap<String, Value>;

/// What a fine-tuning held out of the user's file, for the evaluation.
const HELD_OUT: &str = "held-out.json";

/// What a fine-tuning on published questions is judged by.
const DEVELOPMENT: &str = "dev-v1.1.json";

/// The files that a fine-tuning leaves beside those that it takes over from its encoder.
const FINE_TUNED: [&str; 4] = ["config.json", "metrics.jsonl", "model.safetensors", "training.json"];

impl Plan<'_> {
    /// A network that is trained from nothing, on the data set of its name.
    pub(super) fn trained(&self, card: &Card) -> Weights {
        let Pipeline { artifacts, recipe, .. } = self.pipeline;
        let folder = artifacts.join(card.name);
        let outputs: Files = ["model.safetensors", "metrics.jsonl", "config.json"]
            .map(|name| (format!("{}/{name}", card.name), folder.join(name)))
            .into();
        let data = fetch(card.name, declared(card.name));
        let mut told = words(&[card.name, "--in-pipeline", &format!("--out={}", folder.display())]);
        told.extend(options(parameters(recipe), &recipe.common));
        let train = self.training(card, parameters(recipe), vec![&data], outputs.clone(), told);
        Weights { path: folder.join("model.safetensors"), files: outputs, tasks: vec![data, train], asked: None }
    }

    /// A network that is made of an encoder and what it learns from: a Hugging Face folder.
    pub(super) fn fine_tuned(&self, card: &Card, FineTuning { encoder, lessons }: FineTuning) -> Weights {
        let Pipeline { artifacts, recipe, squad, .. } = self.pipeline;
        let folder = artifacts.join(card.name).join("trained");
        let recipe = QuestionRecipe::new(recipe.common.clone(), squad.clone());
        let bring = fetch(encoder, declared(encoder));
        let tokenizer =
            ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.txt"];
        let has = |name: &&str| bring.stage.outputs.contains_key(&file_of(encoder, name).display().to_string());
        let outputs: Files = FINE_TUNED
            .into_iter()
            .chain(tokenizer.into_iter().filter(has))
            .chain(squad.is_some().then_some(HELD_OUT))
            .map(|name| (format!("{}/trained/{name}", card.name), folder.join(name)))
            .collect();
        let mut told = words(&[card.name, "--in-pipeline", &format!("--out={}", folder.display())]);
        told.extend(options(question_parameters(&recipe), &recipe.common));
        told.push(format!("--encoder={}", Path::new(DATASETS).join(encoder).display()));
        told.extend(squad.iter().map(|path| format!("--squad={}", path.display())));
        let public = squad.is_none().then(|| fetch(lessons, declared(lessons)));
        let before: Vec<&Task> = [&bring].into_iter().chain(&public).collect();
        let mut train = self.training(card, question_parameters(&recipe), before, outputs.clone(), told);
        train.stage.inputs.extend(squad.clone().map(entry));
        let asked = match squad {
            Some(_) => folder.join(HELD_OUT),
            None => file_of(lessons, DEVELOPMENT),
        };
        let tasks = [bring].into_iter().chain(public).chain([train]).collect();
        Weights { path: folder, files: outputs, tasks, asked: Some(asked) }
    }

    fn training(
        &self,
        card: &Card,
        parameters: Parameters,
        before: Vec<&Task>,
        outputs: Files,
        arguments: Vec<String>,
    ) -> Task {
        Task {
            stage: Stage {
                name: format!("{}/train", card.name),
                parameters,
                inputs: before.iter().flat_map(|task| task.stage.outputs.clone()).collect(),
                code: Some(self.train),
                outputs,
                after: before.iter().map(|task| task.stage.name.clone()).collect(),
                declared: false,
            },
            program: Program::Train,
            arguments,
        }
    }
}

fn file_of(dataset: &str, name: &str) -> PathBuf {
    Path::new(DATASETS).join(dataset).join(name)
}

/// What decides the trained weights of a network for digits, by option. The number of threads does not.
fn parameters(recipe: &DigitRecipe) -> Parameters {
    let DigitRecipe { recipe: practice, test_batch_size, gamma, common } = recipe;
    let own = [
        ("--recipe", name(practice.to_possible_value())),
        ("--batch-size", json!(recipe.batch_size())),
        ("--test-batch-size", json!(test_batch_size)),
        ("--epochs", json!(recipe.epochs())),
        ("--lr", json!(recipe.learning_rate())),
        ("--gamma", json!(gamma)),
    ];
    with_common(own, common)
}

/// The same of a network for questions. The files are inputs.
fn question_parameters(recipe: &QuestionRecipe) -> Parameters {
    let QuestionRecipe {
        squad: _,
        dev: _,
        hold_out: _,
        encoder: _,
        common,
        warm_up,
        weight_decay,
        clip,
        dropout,
        length,
        stride,
    } = recipe;
    let own = [
        ("--batch-size", json!(recipe.batch_size())),
        ("--epochs", json!(recipe.epochs())),
        ("--lr", json!(recipe.learning_rate())),
        ("--hold-out", json!(recipe.hold_out())),
        ("--warm-up", json!(warm_up)),
        ("--weight-decay", json!(weight_decay)),
        ("--clip", json!(clip)),
        ("--dropout", json!(dropout)),
        ("--length", json!(length)),
        ("--stride", json!(stride)),
    ];
    with_common(own, common)
}

/// These and those that every training has. What is not said is left out.
fn with_common<const N: usize>(own: [(&str, Value); N], common: &CommonRecipe) -> Parameters {
    // Each network has defaults of its own for the first three.
    let CommonRecipe { batch_size: _, epochs: _, lr: _, seed, dry_run, device: _, no_cuda: _, threads: _, limit } =
        common;
    let common = [
        ("--seed", json!(seed)),
        ("--dry-run", if *dry_run { json!(true) } else { Value::Null }),
        ("--device", name(common.device().to_possible_value())),
        ("--limit", json!(limit)),
    ];
    own.into_iter()
        .chain(common)
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn name(value: Option<clap::builder::PossibleValue>) -> Value {
    json!(value.map(|value| value.get_name().to_owned()))
}

/// The words that tell `train` these parameters, and the number of threads.
fn options(parameters: Parameters, common: &CommonRecipe) -> Vec<String> {
    let threads = common.threads.map(|threads| ("--threads".to_owned(), json!(threads)));
    parameters
        .into_iter()
        .chain(threads)
        .map(|(name, value)| match value {
            Value::Bool(_) => name,
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, Parser};

    #[derive(Parser)]
    struct Arguments<R: Args> {
        #[command(flatten)]
        recipe: R,
    }

    fn recipe<R: Args>(words: &[&str]) -> R {
        Arguments::try_parse_from(["train"].iter().chain(words)).unwrap().recipe
    }

    const COMMON: [&str; 6] =
        ["--epochs=3", "--lr=0.1", "--dry-run", "--limit=640", "--threads=2", "--seed=18446744073709551615"];

    #[test]
    fn the_program_is_told_the_same_recipe() {
        for words in [&COMMON[..], &["--gamma=0.9"], &["--recipe=modern"], &[]] {
            let told: DigitRecipe = recipe(words);
            let options = options(parameters(&told), &told.common);
            let heard: DigitRecipe = recipe(&options.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(parameters(&told), parameters(&heard));
            assert_eq!(told.common.threads, heard.common.threads);
        }
    }

    #[test]
    fn a_fine_tuning_is_told_the_defaults_of_its_options() {
        for words in [&COMMON[..], &[]] {
            let DigitRecipe { common, .. } = recipe(words);
            let told = QuestionRecipe::new(common, Some("squad.json".into()));
            let options = options(question_parameters(&told), &told.common);
            let words = options.iter().map(String::as_str).chain(["--squad=squad.json"]).collect::<Vec<_>>();
            let heard: QuestionRecipe = recipe(&words);
            assert_eq!(question_parameters(&told), question_parameters(&heard));
            let plain = words.iter().copied().filter(|word| COMMON.contains(word) || word.starts_with("--squad"));
            let plain: QuestionRecipe = recipe(&plain.collect::<Vec<_>>());
            assert_eq!(question_parameters(&told), question_parameters(&plain));
        }
    }

    #[test]
    fn threads_do_not_make_another_recipe_and_no_cuda_is_the_cpu() {
        let plain = parameters(&recipe(&[]));
        assert_eq!(parameters(&recipe(&["--threads=3"])), plain);
        assert_eq!(parameters(&recipe(&["--device=cuda", "--no-cuda"])), plain);
        assert_ne!(parameters(&recipe(&["--device=cuda"])), plain);
    }
}
