//! How an evaluation is measured and told, whatever is evaluated.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use artifact::Outputs;
use cli::eval::{EngineArgs, MeasureArgs, ProviderOption, ScenarioName};
use cli::sandbox::SandboxArgs;
use engines::engine_name::EngineName;
use engines::provider::Provider;
use engines::worker::remote::Launcher;
use evaluation::measure::Measure;
use evaluation::report::Report;
use evaluation::scenario::Scenario;
use terminal::plain::line;
use terminal::program::note;

/// Prints a report, and says where it is. The exit status is that of its verdict.
pub fn show(report: &Report, out: &Path, measure: &MeasureArgs) -> Result<ExitCode> {
    let slower = measure.fail_if_slower && report.head.is_slower();
    if measure.json {
        crate::print(serde_json::to_string(report)? + "\n")?;
    } else {
        let slower = match slower {
            true => "FAILED: an engine has become slower than in the earlier report (--fail-if-slower).\n",
            false => "",
        };
        crate::print(report.text() + slower + &line(format_args!("Report: {}", out.display())))?;
    }
    let passed = report.head.passed || (measure.accept_unproven && report.failures().is_empty());
    Ok(if passed && !slower { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What an evaluation may write to, which reads `files` and those that the options of the measurement name.
pub fn outputs(measure: &MeasureArgs, files: impl IntoIterator<Item = PathBuf>) -> Outputs {
    let named = [&measure.compare, &measure.against].into_iter().flatten().cloned();
    Outputs::of_inputs(files.into_iter().chain(named))
}

/// The option that leaves engines all their rights, if it was given.
pub fn rights(measure: &MeasureArgs) -> &'static str {
    if measure.sandbox.no_sandbox { " --no-sandbox" } else { "" }
}

/// What starts engines. That they are not confined is said aloud.
///
/// # Errors
/// When the system does not tell where this program is.
pub fn confined(sandbox: SandboxArgs) -> Result<Launcher> {
    let launcher = Launcher::this_program().context("this program cannot be started again")?;
    if sandbox.no_sandbox {
        note("warning: the processes of engines are not confined (--no-sandbox)");
    }
    Ok(Launcher { sandbox: !sandbox.no_sandbox, ..launcher })
}

/// What starts engines, with the patience that is asked for.
pub fn launcher(measure: &MeasureArgs) -> Result<Launcher> {
    let launcher = confined(measure.sandbox)?;
    Ok(Launcher { patience: Duration::from_secs_f64(measure.timeout), ..launcher })
}

/// How the user wants it measured.
///
/// # Errors
/// When a name is no engine's, or an option is for a provider that is not asked for.
pub fn measure(arguments: &MeasureArgs) -> Result<Measure> {
    let engines = asked(&arguments.engines)?;
    let option = |ProviderOption { provider, key, value }: &ProviderOption| {
        let wanted = |engine: &EngineName| match engine {
            EngineName::Ort(asked) if Provider::try_from(provider.clone()).is_ok_and(|named| named == *asked) => {
                Some(asked.clone())
            }
            _ => None,
        };
        let wanted = engines.iter().find_map(wanted).with_context(|| {
            format!(
                "--provider-option is for {provider}, which is not asked for (--engines ort:{provider} would do that)"
            )
        })?;
        Ok((wanted, key.clone(), value.clone()))
    };
    let scenario = |name: &ScenarioName| match name {
        ScenarioName::SingleStream => Scenario::SingleStream,
        ScenarioName::Offline => Scenario::Offline,
    };
    Ok(Measure {
        provider_options: arguments.engines.provider_options.iter().map(option).collect::<Result<_>>()?,
        session_per_size: arguments.engines.session_per_size,
        threads: arguments.threads.unwrap_or(1),
        batches: arguments.batches.clone(),
        seconds: arguments.seconds,
        scenarios: arguments.scenario.iter().map(scenario).collect(),
        timeout: Duration::from_secs_f64(arguments.timeout),
        bisect: arguments.bisect,
        against: arguments.against.clone(),
        datasets: catalogue::datasets(),
        engines,
    })
}

/// The engines asked for, each once; ONNX Runtime on the CPU if none is.
fn asked(arguments: &EngineArgs) -> Result<Vec<EngineName>> {
    let named = arguments.engines.iter().map(|name| name.parse::<EngineName>().context("--engines"));
    let provided = arguments.providers.iter().map(|name| {
        let provider = name.parse::<Provider>().context("--providers")?;
        Ok(EngineName::Ort(provider))
    });
    let mut engines = Vec::new();
    for engine in named.chain(provided) {
        let engine = engine?;
        if !engines.contains(&engine) {
            engines.push(engine);
        }
    }
    if engines.is_empty() {
        engines.push(EngineName::Ort(Provider::Cpu));
    }
    Ok(engines)
}
