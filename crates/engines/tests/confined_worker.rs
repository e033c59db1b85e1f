//! A worker that wants to do harm, for real: this very program, once as the worker and once as the one who starts it.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use confine::{Needs, confine};
use engines::engine::EngineError;
use engines::engine_name::Framework;
use engines::worker::remote::Launcher;
use engines::worker::serve::program;
use engines::worker::{EngineSpec, FrameworkSpec, Opened, WORKER_COMMAND, Weights};

/// What the worker tries: its name, and whether it could.
type Deed = (&'static str, bool);

fn main() -> ExitCode {
    match std::env::args().nth(1).is_some_and(|word| word == WORKER_COMMAND) {
        true => program(&open),
        false => {
            test();
            ExitCode::SUCCESS
        }
    }
}

/// In place of an engine: tries everything, and tells in the words of an error what worked. The network's name is a port.
fn open(spec: &EngineSpec) -> Result<Opened, EngineError> {
    let EngineSpec::Framework(FrameworkSpec { network, weights: Weights::At(folder), .. }) = spec else {
        return Err(spec.not_here());
    };
    let reason = deeds(folder, network).into_iter().map(|(deed, worked)| format!("{deed} {worked}"));
    Err(EngineError::Run { engine: "burn".to_owned(), reason: reason.collect::<Vec<_>>().join(", ") })
}

fn deeds(folder: &Path, port: &str) -> Vec<Deed> {
    let beside = folder.with_file_name("beside");
    let scratch = std::env::temp_dir().join("scratch");
    vec![
        ("reads its own", fs::read(folder.join("weights")).is_ok()),
        ("reads another", fs::read(beside.join("secret")).is_ok()),
        ("writes its own", fs::write(folder.join("weights"), "changed").is_ok()),
        ("writes beside", fs::write(beside.join("new"), "").is_ok()),
        ("removes", fs::remove_file(beside.join("victim")).is_ok()),
        ("writes scratch", fs::write(&scratch, "").and_then(|()| fs::remove_file(&scratch)).is_ok()),
        ("connects", TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()),
        ("listens", TcpListener::bind("127.0.0.1:0").is_ok()),
        ("starts", Command::new("true").status().is_ok()),
        ("computes", std::thread::spawn(|| 6 * 7).join().is_ok_and(|answer| answer == 42)),
    ]
}

fn test() {
    let root = tempfile::tempdir().unwrap();
    let (own, beside) = (root.path().join("own"), root.path().join("beside"));
    for folder in [&own, &beside] {
        fs::create_dir(folder).unwrap();
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let spec = EngineSpec::Framework(FrameworkSpec {
        framework: Framework::Burn,
        network: listener.local_addr().unwrap().port().to_string(),
        weights: Weights::At(own.clone()),
        folder: None,
        threads: 1,
        exact: false,
    });
    let told = |sandbox: bool| {
        fs::write(own.join("weights"), "weights").unwrap();
        fs::write(beside.join("secret"), "secret").unwrap();
        fs::write(beside.join("victim"), "victim").unwrap();
        let program: PathBuf = std::env::current_exe().unwrap();
        let launcher = Launcher { program, patience: Duration::from_secs(60), memory: None, sandbox };
        launcher.engine(&spec).map(drop).unwrap_err().to_string()
    };
    let all = "burn failed: reads its own true, reads another true, writes its own true, writes beside true, removes true, \
               writes scratch true, connects true, listens true, starts true, computes true";
    assert_eq!(told(false), all);
    assert!(!beside.join("victim").exists());
    let confined = told(true);
    // In a thread of its own, which alone is confined.
    let kernel = std::thread::spawn(|| confine(&Needs::default())).join().unwrap();
    if kernel.is_whole() {
        let little = "burn failed: reads its own true, reads another false, writes its own false, writes beside false, removes \
                      false, writes scratch true, connects false, listens false, starts false, computes true";
        assert_eq!(confined, little);
        assert_eq!(fs::read_to_string(own.join("weights")).unwrap(), "weights");
        assert_eq!(fs::read_to_string(beside.join("victim")).unwrap(), "victim");
    } else {
        println!("LEFT OUT: {kernel}: {confined}");
    }
    println!("a worker does no harm: ok");
}
