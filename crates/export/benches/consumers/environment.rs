//! The place where a program is installed, and how it is started.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::programs::{Program, Source};

/// How a program is started.
pub(crate) struct Environment {
    command: Vec<PathBuf>,
    /// What comes before the model among the arguments.
    first: Option<&'static str>,
}

/// Installs a program where it is not yet, each in a folder of its own.
///
/// # Errors
/// When its packages cannot be had or compiled.
pub(crate) fn make(program: &Program, root: &Path) -> Result<Environment> {
    let sources = root.join("crates/export/benches/consumers");
    let folder = root.join("target/consumers/programs").join(program.name);
    match program.source {
        Source::Elsewhere(_, reason) => bail!("{reason}"),
        Source::Python(packages) => {
            let python = folder.join("bin/python");
            once(&folder, program, || {
                finish(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
                let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
                finish(Command::new(&python).args(pip).args(packages))
            })?;
            Ok(Environment { command: vec![python, sources.join("consume.py")], first: Some(program.name) })
        }
        Source::Node(package) => {
            once(&folder, program, || {
                artifact::write_atomic(folder.join("package.json"), "{\"private\": true}")?;
                finish(
                    Command::new("npm")
                        .args(["install", "--no-audit", "--no-fund", "--silent", package])
                        .current_dir(&folder),
                )
            })?;
            // Node looks for packages beside the script.
            std::fs::copy(sources.join("consume.mjs"), folder.join("consume.mjs"))
                .with_context(|| format!("{} cannot be written", folder.display()))?;
            Ok(Environment { command: vec!["node".into(), folder.join("consume.mjs")], first: None })
        }
        Source::Rust(crates, text) => {
            let target = root.join("target/consumers/rust");
            let name = format!("consume-{}", program.name);
            // Compiled each time, so that it is the text that stands here; cargo knows whether there is anything to do.
            let dependency = |(name, version, more): &(&str, &str, &str)| {
                let comma = if more.is_empty() { "" } else { ", " };
                format!("{name} = {{ version = \"={version}\"{comma}{more} }}\n")
            };
            let dependencies: String = crates.iter().map(dependency).collect();
            let manifest = format!(
                "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n\
                 serde_json = \"1\"\n{dependencies}"
            );
            artifact::write_atomic(folder.join("Cargo.toml"), manifest)?;
            artifact::write_atomic(folder.join("src/main.rs"), text)?;
            artifact::write_atomic(folder.join("src/exchange.rs"), include_str!("foreign/exchange.rs"))?;
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
            cargo.args(["build", "--release", "--quiet"]).current_dir(&folder).env("CARGO_TARGET_DIR", &target);
            if let Some(protoc) = protoc(root, crates)? {
                cargo.env("PROTOC", protoc);
            }
            finish(&mut cargo)?;
            Ok(Environment { command: vec![target.join("release").join(name)], first: None })
        }
    }
}

/// The compiler of protocol buffers, which some crates run: out of a Python package, unless there is one.
fn protoc(root: &Path, crates: &[(&str, &str, &str)]) -> Result<Option<PathBuf>> {
    const PACKAGE: &str = "grpcio-tools==1.85.1";
    if crates.iter().all(|(name, ..)| *name != "candle-onnx") || std::env::var_os("PROTOC").is_some() {
        return Ok(None);
    }
    let folder = root.join("target/consumers/programs/protoc");
    let (python, script) = (folder.join("bin/python"), folder.join("protoc"));
    if !script.is_file() {
        finish(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
        finish(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            PACKAGE,
        ]))?;
        artifact::write_atomic(
            &script,
            format!("#!/bin/sh\nexec \"{}\" -m grpc_tools.protoc \"$@\"\n", python.display()),
        )?;
        finish(Command::new("chmod").arg("+x").arg(&script))?;
    }
    Ok(Some(script))
}

/// Installs, unless that has been done with the same packages.
fn once(folder: &Path, program: &Program, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let complete = folder.join("complete");
    let packages = program.packages().join("\n");
    if std::fs::read_to_string(&complete).is_ok_and(|installed| installed == packages) {
        return Ok(());
    }
    install()?;
    artifact::write_atomic(complete, packages)?;
    Ok(())
}

/// Waits for a command; what it says on standard error is the error.
fn finish(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let done = command.stdin(Stdio::null()).output().with_context(|| format!("{name} cannot be started"))?;
    match done.status.success() {
        true => Ok(()),
        false => bail!("{}", String::from_utf8_lossy(&done.stderr)),
    }
}

impl Environment {
    /// The command without arguments.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn command(&self) -> Result<Command> {
        let Some((program, script)) = self.command.split_first() else { bail!("there is no command") };
        let mut command = Command::new(program);
        command.args(script).args(self.first);
        Ok(command)
    }

    /// Lets the program answer all cases of a file, or says why it does not; the answers lie in `out`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn run(&self, model: &Path, manifest: &Path, out: &Path, patience: u64) -> Result<Result<(), String>> {
        // Some programs write beside the model.
        let copy = out.join("model.onnx");
        std::fs::copy(model, &copy).with_context(|| format!("{} cannot be written", copy.display()))?;
        let said = out.join("said.txt");
        let log = std::fs::File::create(&said).with_context(|| format!("{} cannot be written", said.display()))?;
        let mut command = self.command()?;
        let program = command.get_program().to_string_lossy().into_owned();
        command.args([&copy, manifest, out]).current_dir(out).stdin(Stdio::null());
        command.env("ORT_DISABLE_TELEMETRY", "1").stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().with_context(|| format!("{program} cannot be started"))?;
        let start = Instant::now();
        let status = loop {
            match child.try_wait().context("a program cannot be waited for")? {
                Some(status) => break status,
                None if start.elapsed() > Duration::from_secs(patience) => {
                    child.kill().and_then(|()| child.wait()).context("a program cannot be ended")?;
                    return Ok(Err(format!("it did not end within {patience} s")));
                }
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        };
        match status.success() {
            true => Ok(Ok(())),
            false => {
                let said = std::fs::read(&said).unwrap_or_default();
                let said = last_words(&String::from_utf8_lossy(&said));
                Ok(Err(if said.is_empty() { format!("it ended with {status}") } else { said }))
            }
        }
    }
}

/// The last line that says something, cut to the length of a note, without folders of this machine.
pub(crate) fn last_words(text: &str) -> String {
    const MOST: usize = 200;
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    // Of a path, the name of the file.
    let words = line.split_whitespace().map(|word| match word.rfind('/') {
        Some(slash) if word.matches('/').count() > 1 && !word.contains("://") => &word[slash + 1..],
        _ => word,
    });
    let line = words.collect::<Vec<&str>>().join(" ").replace('|', "/");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
