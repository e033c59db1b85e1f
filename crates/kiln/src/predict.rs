//! What the engines make of the items.

use std::process::ExitCode;

use anyhow::{Result, bail};
use catalogue::Card;
use cli::own::OwnPredictArgs;
use engines::engine::{EngineError, Signature};
use evaluation::task::Task;
use infer::predict::engines::{Network, Opened, Source, Unopened, conclude, failures, threads, wanted, warning};
use serde_json::{Value, json};
use terminal::failure::sentence;
use terminal::program::print;
use terminal::table::Table;

/// What an engine says of every item.
struct Column {
    engine: String,
    answers: Vec<String>,
}

/// Asks every engine about the first items, and prints the answers side by side. An engine that fails costs its own answers only. The
/// exit status says whether all engines gave the same.
pub fn execute<T: Task>(
    card: &Card,
    arguments: &OwnPredictArgs,
    signature: &Signature,
    what: &'static str,
    task: &T,
) -> Result<ExitCode> {
    if task.count() == 0 {
        bail!("there are no {} to ask about", T::ITEMS);
    }
    let weights = arguments.weights.clone().unwrap_or_else(|| card.weights());
    let model = arguments.model.clone().unwrap_or_else(|| card.model());
    let network = Some(Network { card, signature, what, weights: &weights, folder: None });
    let names = wanted(&arguments.engines)?;
    let source = Source { model: &model, network, threads: threads(&arguments.engines) };
    let Opened { engines, mut failed, seed, .. } = Opened::each(&names, &source, arguments.engines.sandbox)?;
    let count = arguments.first.min(task.count());
    let mut columns = Vec::new();
    for mut engine in engines {
        let mut answers = Vec::new();
        let asked = (0..count).step_by(T::AT_ONCE.max(1)).try_for_each(|first| {
            let found = task.ask(engine.as_mut(), &task.items(first..(first + T::AT_ONCE.max(1)).min(count))?)?;
            answers.extend(found.iter().map(|answer| task.words(answer)));
            Ok::<(), EngineError>(())
        });
        match asked {
            Ok(()) if answers.len() != count => {
                let error = format!("it gave {} answers to {count} {}", answers.len(), T::ITEMS);
                failed.push(Unopened { engine: engine.name().to_owned(), error });
            }
            Ok(()) => columns.push(Column { engine: engine.name().to_owned(), answers }),
            Err(error) => failed.push(Unopened { engine: engine.name().to_owned(), error: sentence(&error) }),
        }
    }
    let names: Vec<String> = task.items(0..count)?.iter().map(|item| task.name(item)).collect();
    let agree = columns.windows(2).all(|pair| matches!(pair, [a, b] if a.answers == b.answers));
    let text = match arguments.json {
        true => {
            let items = names.iter().enumerate().map(|(index, name)| json_item(name, index, &columns));
            let all =
                json!({"random_init": seed, "agree": agree, "failed": failed, "items": items.collect::<Vec<_>>()});
            serde_json::to_string_pretty(&all)? + "\n"
        }
        false => seed.map(warning).unwrap_or_default() + &failures(&failed) + &table(&names, &columns),
    };
    print(text)?;
    conclude(&failed, agree, "the engines give different answers")
}

fn json_item(name: &str, index: usize, columns: &[Column]) -> Value {
    let answers = columns.iter().map(|column| (column.engine.clone(), json!(column.answers.get(index))));
    json!({"item": name, "answers": answers.collect::<serde_json::Map<_, _>>()})
}

fn table(names: &[String], columns: &[Column]) -> String {
    let mut table = Table::left(["item"].into_iter().chain(columns.iter().map(|column| column.engine.as_str())));
    for (index, name) in names.iter().enumerate() {
        let answers = columns.iter().filter_map(|column| column.answers.get(index).cloned());
        table.row([name.clone()].into_iter().chain(answers));
    }
    table.render()
}
