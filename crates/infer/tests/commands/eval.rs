//! `infer eval mnist`.

use crate::page::assert_well_formed;
use crate::setting::{DIGITS, Setting, text};
use serde_json::Value;

const QUICK: [&str; 4] = ["--seconds", "0.05", "--batches", "3"];

fn report(setting: &Setting) -> Value {
    serde_json::from_slice(&std::fs::read(setting.path("eval.json")).unwrap()).unwrap()
}

#[test]
fn both_engines_agree_and_the_report_says_how_fast_they_are() {
    let setting = Setting::new();
    let output = setting.infer("eval", &QUICK);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    for part in
        ["Validation against burn in float64", "same images", "correct", "burn ", "ort:cpu ", "with 1 thread", "Passed"]
    {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }

    let report = report(&setting);
    assert_eq!(report["passed"], true);
    let (burn, ort) = (&report["engines"][0], &report["engines"][1]);
    assert_eq!((&burn["engine"], &ort["engine"]), (&"burn".into(), &"ort:cpu".into()));
    assert_eq!((&ort["agreement"]["items"], &ort["agreement"]["same"]), (&DIGITS.into(), &DIGITS.into()));
    // Nothing was trained, so the digits are wrong, but equally so.
    assert_eq!((&burn["metrics"], &burn["metrics"][0]["of"]), (&ort["metrics"], &DIGITS.into()));
    assert_eq!(report["figures"][0]["kind"], "confusion");
    let confusion: u64 = report["figures"][0]["counts"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|row| row.as_array().unwrap())
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(confusion, DIGITS as u64);
    // Two programs that add in different orders differ a little, and in float32 only a little.
    let cases = ort["verification"]["cases"].as_array().unwrap();
    let difference = cases.iter().map(|case| case["difference"].as_f64().unwrap()).fold(0.0, f64::max);
    assert!(difference > 0.0 && difference < 1e-5, "{difference}");

    let timing = report["timing"].as_array().unwrap();
    let batches: Vec<u64> = timing.iter().map(|entry| entry["batch"].as_u64().unwrap()).collect();
    assert_eq!(batches, [1, 3]);
    for entry in timing {
        for engine in entry["engines"].as_array().unwrap() {
            let samples: Vec<f64> =
                engine["samples_ms"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            assert_eq!(engine["latency_ms"]["samples"], samples.len());
            let p50 = engine["latency_ms"]["p50"].as_f64().unwrap();
            // Nearest rank: at most half of the samples are below the median, and at most half above.
            assert!(samples.iter().filter(|&&sample| sample < p50).count() * 2 <= samples.len());
            assert!(samples.iter().filter(|&&sample| sample > p50).count() * 2 <= samples.len());
            let rate = engine["items_per_second"].as_f64().unwrap();
            let items = entry["batch"].as_f64().unwrap() * samples.len() as f64;
            let seconds = samples.iter().sum::<f64>() / 1e3;
            assert!((rate * seconds / items - 1.0).abs() < 1e-9, "{rate} items/s, {items} in {seconds} s");
        }
    }
    assert_eq!(ort["placement"]["parts"][0]["provider"], "CPUExecutionProvider");
    assert!(ort["usage"]["peak_memory"].as_u64().unwrap() > 10 << 20);
    assert_eq!(ort["verification"]["passed"], true);
    assert_eq!(ort["verification"]["cases"].as_array().unwrap().len(), 8);
    let fingerprint = &report["fingerprint"];
    assert_eq!(fingerprint["files"]["model"]["sha256"], artifact::sha256_file(setting.model()).unwrap().to_string());
    assert_eq!(
        fingerprint["files"]["weights"]["sha256"],
        artifact::sha256_file(setting.weights()).unwrap().to_string()
    );
    assert!(ort["library"]["version"].as_str().unwrap().starts_with("1."));
    assert!(setting.leftovers().is_empty());

    let page = setting.page("mnist", "eval.json");
    assert_well_formed(&page);
    for part in
        ["Passed.", "Validation", "ort:cpu", "Latency", "Confusion", "data:image/png;base64,", "cargo xtask eval mnist"]
    {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn json_goes_to_standard_output_as_it_goes_to_the_file() {
    let setting = Setting::new();
    let output = setting.infer("eval", &[&QUICK[..], &["--json", "--limit", "7", "--threads", "2"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(output.stdout, std::fs::read(setting.path("eval.json")).unwrap());
    let report = report(&setting);
    assert_eq!(report["engines"][0]["metrics"][0]["of"], 7);
    assert_eq!(report["settings"]["threads"], 2);
}

/// What is compared is the report; a machine that others use too is not asked how fast it is.
#[test]
fn an_earlier_report_is_compared_with() {
    let setting = Setting::new();
    let earlier = setting.path("earlier.json");
    let earlier_path = earlier.to_str().unwrap();
    assert!(setting.infer("eval", &QUICK).status.success());
    let mut report = report(&setting);
    let scaled = |report: &mut Value, factor: f64| {
        for batch in report["timing"].as_array_mut().unwrap() {
            for engine in batch["engines"].as_array_mut().unwrap() {
                let p50 = engine["latency_ms"]["p50"].as_f64().unwrap() * factor;
                engine["latency_ms"]["p50"] = p50.into();
                engine["block_medians_ms"] = vec![p50; 9].into();
            }
        }
        std::fs::write(&earlier, report.to_string()).unwrap();
    };
    let options = [&QUICK[..], &["--compare", earlier_path]].concat();
    let strict = [&options[..], &["--fail-if-slower"]].concat();

    // A thousandth and then a million times the time before: no noise is as large.
    scaled(&mut report, 1e-3);
    let output = setting.infer("eval", &options);
    assert!(output.status.success() && text(&output.stdout).contains("SLOWER"), "{}", text(&output.stdout));
    assert_eq!(setting.infer("eval", &strict).status.code(), Some(1));
    scaled(&mut report, 1e6);
    let output = setting.infer("eval", &strict);
    assert!(output.status.success() && text(&output.stdout).contains("faster"), "{}", text(&output.stdout));
    assert!(setting.page("mnist", "eval.json").contains("Since the earlier report"));

    std::fs::write(&earlier, "{}").unwrap();
    assert!(setting.failure("eval", &options).contains("is no report of `eval mnist`"));
    std::fs::remove_file(&earlier).unwrap();
    assert!(setting.failure("eval", &options).contains("earlier.json"));
}

#[test]
fn the_page_shows_how_the_weights_were_trained() {
    let setting = Setting::new();
    let digest = artifact::sha256_file(setting.weights()).unwrap();
    let config = format!(r#"{{"weights": {{"file": "model.safetensors", "sha256": "{digest}"}}}}"#);
    std::fs::write(setting.path("config.json"), config).unwrap();
    let epoch = r#"{"epoch": 1, "train_loss": 0.5, "test_loss": 0.25, "test_correct": 30, "test_total": 40}"#;
    std::fs::write(setting.path("metrics.jsonl"), format!("{epoch}\n{epoch}\n")).unwrap();
    assert!(setting.infer("eval", &QUICK).status.success());
    let page = setting.page("mnist", "eval.json");
    assert_well_formed(&page);
    assert!(page.contains("<h3>Training</h3>") && page.contains("<path class=\"line "));
    assert_eq!(report(&setting)["history"].as_array().unwrap().len(), 2);
}

#[test]
fn digits_that_differ_are_shown_and_fail() {
    let setting = Setting::new();
    let other = setting.other_weights();
    let output = setting.infer("eval", &[&QUICK[..], &["--weights", other.to_str().unwrap()]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(table.contains("images that differ"), "{table}");
    assert!(table.contains("FAILED: ort:cpu differs for "), "{table}");
    let report = report(&setting);
    assert_eq!(report["passed"], false);
    assert!(table.contains("FAILED: ort:cpu deviates by "), "{table}");
    let agreement = &report["engines"][1]["agreement"];
    let differing = agreement["differing"].as_array().unwrap();
    assert!(!differing.is_empty());
    assert_eq!(agreement["same"], DIGITS - differing.len());
    for item in differing {
        assert_ne!(item["reference"], item["found"]);
    }
    let page = setting.page("mnist", "eval.json");
    assert_well_formed(&page);
    assert!(page.contains("Failed.") && page.contains("<li>MNIST CNN: ort:cpu differs for "));
}

#[test]
fn bad_files_are_one_clear_sentence_and_the_last_report_stays() {
    let setting = Setting::new();
    std::fs::write(setting.path("eval.json"), "the last report").unwrap();
    let failure = |options: &[&str]| setting.failure("eval", &[&QUICK[..], options].concat());

    let message = failure(&["--model", "no/such.onnx"]);
    assert!(message.contains("cargo xtask export mnist") && message.contains("no/such.onnx"), "{message}");
    let message = failure(&["--weights", "no/such.safetensors"]);
    assert!(message.contains("cargo xtask train") && message.contains("no/such.safetensors"), "{message}");
    let message = failure(&["--data", "no/such"]);
    assert!(message.contains("cargo xtask fetch mnist") && message.contains("no/such"), "{message}");
    let message = failure(&["--limit", "41"]);
    assert!(message.contains("--limit 41") && message.contains("40 test images"), "{message}");

    let half = |name: &str, path: &std::path::Path| {
        let whole = std::fs::read(path).unwrap();
        let cut = setting.path(name);
        std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
        cut.to_str().unwrap().to_owned()
    };
    let message = failure(&["--weights", &half("cut.safetensors", &setting.weights())]);
    assert!(message.contains("cut.safetensors"), "{message}");

    assert_eq!(std::fs::read(setting.path("eval.json")).unwrap(), b"the last report");
    assert!(setting.leftovers().is_empty(), "{:?}", setting.leftovers());
}

/// The rows of engines that could not do it, and the other engine's results.
#[test]
fn an_engine_that_cannot_is_a_row_and_a_failure() {
    let setting = Setting::new();
    let whole = std::fs::read(setting.model()).unwrap();
    let cut = setting.path("cut.onnx");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/types.onnx");
    for (model, reason) in [
        (cut.to_str().unwrap(), "ort:cpu cannot load"),
        (other, "it is not an MNIST network: it takes (float: float [batch, 2], "),
    ] {
        let output = setting.infer("eval", &[&QUICK[..], &["--model", model]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let table = text(&output.stdout);
        assert!(table.contains("FAILED: ") && table.contains(reason) && table.contains(model), "{table}");
        let report = report(&setting);
        assert_eq!(report["passed"], false);
        assert!(report["engines"][1]["error"].as_str().unwrap().contains(reason));
        assert_eq!(report["engines"][0]["error"], Value::Null);
        assert_eq!(report["engines"][0]["metrics"][0]["name"], "correct");
        assert_eq!(report["timing"][0]["engines"].as_array().unwrap().len(), 1);
    }
}

/// ONNX Runtime's plain library has no TensorRT: nothing may run on the CPU in its stead.
#[test]
fn a_provider_that_is_not_there_is_never_replaced() {
    let setting = Setting::new();
    let library = artifact::runtime::locate(&setting.workspace().join("datasets/onnxruntime")).unwrap();
    let options = [&QUICK[..], &["--providers", "tensorrt,cpu"]].concat();
    let output = setting.command("eval", &options).env("ORT_DYLIB_PATH", &library.path).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report = report(&setting);
    let (tensorrt, cpu) = (&report["engines"][1], &report["engines"][2]);
    assert_eq!((&tensorrt["engine"], &cpu["engine"]), (&"ort:tensorrt".into(), &"ort:cpu".into()));
    assert!(tensorrt["error"].as_str().unwrap().contains("no ONNX Runtime library here has TensorrtExecutionProvider"));
    assert_eq!(tensorrt["metrics"], Value::Null);
    assert_eq!((&cpu["error"], &cpu["agreement"]["same"]), (&Value::Null, &DIGITS.into()));
    let timed: Vec<&Value> =
        report["timing"][0]["engines"].as_array().unwrap().iter().map(|row| &row["engine"]).collect();
    assert_eq!(timed, ["burn", "ort:cpu"]);
}

/// The list of providers is open. One that the library does not know, or was not built with, is a row in the runtime's own
/// words; one that it has and that takes no node of this network is a row that says where the nodes ran.
#[test]
fn any_other_provider_is_asked_for_by_its_name() {
    let setting = Setting::new();
    let library = artifact::runtime::locate(&setting.workspace().join("datasets/onnxruntime")).unwrap();
    let asked = ["coreml", "Abacus", "azure"];
    let options = [&QUICK[..], &["--providers", "coreml,Abacus,AzureExecutionProvider,cpu"]].concat();
    let output = setting.command("eval", &options).env("ORT_DYLIB_PATH", &library.path).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let report = report(&setting);
    let engines = report["engines"].as_array().unwrap();
    let error = |index: usize| {
        assert_eq!(engines[index + 1]["engine"], format!("ort:{}", asked[index]));
        engines[index + 1]["error"].as_str().unwrap()
    };
    assert!(error(0).contains("CoreML execution provider is not supported in this build"), "{}", error(0));
    assert!(error(1).contains("Unknown provider name 'Abacus'"), "{}", error(1));
    assert!(error(2).contains("no node ran on AzureExecutionProvider: "), "{}", error(2));
    assert_eq!((&engines[4]["error"], &engines[4]["agreement"]["same"]), (&Value::Null, &DIGITS.into()));

    let message = setting.failure("eval", &["--providers", "cdua"]);
    assert_eq!(message, "error: --providers: there is no provider `cdua`; did you mean `cuda`?\n");
    let message = setting.failure("eval", &["--engines", "ort:rocn"]);
    assert_eq!(message, "error: --engines: there is no provider `rocn`; did you mean `rocm`?\n");
}

/// Where `cargo xtask fetch onnxruntime-openvino` has been run, OpenVINO runs the whole network; elsewhere its row says how
/// to get it.
#[test]
fn openvino_runs_the_network_or_says_what_it_lacks() {
    let setting = Setting::new();
    let here = artifact::runtime::fetched(&setting.workspace().join("datasets/onnxruntime-openvino")).is_some();
    let options = ["--providers", "openvino", "--provider-option", "openvino.num_streams=1"];
    let mut command = setting.command("eval", &[&QUICK[..], &options].concat());
    let output = command.env_remove("ORT_DYLIB_PATH").output().unwrap();
    assert_eq!(output.status.success(), here, "{}", text(&output.stdout));
    let report = report(&setting);
    let openvino = &report["engines"][1];
    assert_eq!(openvino["engine"], "ort:openvino");
    if here {
        let parts = openvino["placement"]["parts"].as_array().unwrap();
        assert_eq!((parts.len(), &parts[0]["provider"]), (1, &"OpenVINOExecutionProvider".into()));
        assert_eq!(
            (&openvino["agreement"]["same"], &openvino["verification"]["passed"]),
            (&DIGITS.into(), &true.into())
        );
    } else {
        assert!(openvino["error"].as_str().unwrap().contains("cargo xtask fetch onnxruntime-openvino"));
    }
}

/// tract makes a plan for each batch size; it is judged like every other engine.
#[test]
fn tract_runs_the_network() {
    let setting = Setting::new();
    let output = setting.infer("eval", &[&QUICK[..], &["--engines", "burn,tract,ort:cpu"]].concat());
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let report = report(&setting);
    let names: Vec<&Value> = report["engines"].as_array().unwrap().iter().map(|engine| &engine["engine"]).collect();
    assert_eq!(names, ["burn", "tract", "ort:cpu"]);
    let tract = &report["engines"][1];
    assert_eq!((&tract["agreement"]["same"], &tract["verification"]["passed"]), (&DIGITS.into(), &true.into()));
    // Its sums are not ONNX Runtime's: were it the same engine, nothing would differ at all.
    assert_ne!(tract["verification"]["cases"], report["engines"][2]["verification"]["cases"]);
    assert_eq!(tract["library"]["name"], "tract");
    assert!(tract["placement"]["parts"][0]["nodes"].as_u64().unwrap() > 0);
    for batch in report["timing"].as_array().unwrap() {
        assert_eq!(batch["engines"].as_array().unwrap().len(), 3);
    }
}

#[test]
fn a_session_for_each_size_is_told() {
    let setting = Setting::new();
    let output = setting.infer("eval", &[&QUICK[..], &["--session-per-size"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("has a session for each size of its inputs"));
    let report = report(&setting);
    assert_eq!((&report["engines"][1]["agreement"]["same"], &report["passed"]), (&DIGITS.into(), &true.into()));
}

/// A quick run says what MLPerf would ask for; all the figures are there.
#[test]
fn mlperfs_scenarios_are_run_and_say_what_they_lack() {
    let setting = Setting::new();
    let output = setting.infer("eval", &[&QUICK[..], &["--scenario", "single-stream,offline"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("MLPerf's scenarios") && shown.contains("MLPerf asks for 600 s"), "{shown}");
    let report = report(&setting);
    let scenarios = report["scenarios"].as_array().unwrap();
    assert_eq!(scenarios.len(), 4);
    for result in scenarios {
        let (items, seconds) = (result["items"].as_f64().unwrap(), result["seconds"].as_f64().unwrap());
        assert!(seconds >= 0.05);
        assert!((result["items_per_second"].as_f64().unwrap() * seconds / items - 1.0).abs() < 1e-6);
        let single = result["scenario"] == "single-stream";
        assert_eq!((result["latency_ms"].is_object(), result["batch"] == 1 || !single), (single, true));
    }
}

#[test]
fn a_batch_that_does_not_fit_in_memory_leaves_the_others() {
    let setting = Setting::new();
    let output = setting.infer("eval", &[&QUICK[..], &["--batches", "99999999999,2"]].concat());
    let sentence = "batch 99999999999 does not fit in memory: its inputs alone take ";
    let (shown, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{shown}{told}");
    // It is told at once, and stands in the report.
    assert!(told.starts_with(&format!("warning: {sentence}")), "{told}");
    assert!(shown.contains(&format!("FAILED: {sentence}")), "{shown}");
    let report = report(&setting);
    assert_eq!((&report["passed"], report["undone"].as_array().unwrap().len()), (&false.into(), 1));
    let timed: Vec<&Value> = report["timing"].as_array().unwrap().iter().map(|timing| &timing["batch"]).collect();
    assert_eq!(timed, [1, 3, 2]);
    assert_eq!(report["timing"][1]["engines"].as_array().unwrap().len(), 2);
}

#[test]
fn another_file_is_for_bisection_alone() {
    let setting = Setting::new();
    let message = setting.failure("eval", &["--against", "other.onnx"]);
    assert_eq!(message, "error: --against is for --bisect, which is not asked for\n");
}

#[test]
fn an_engine_that_gives_no_answer_in_time_is_told_of() {
    let setting = Setting::new();
    let message = setting.failure("eval", &["--timeout", "0.001"]);
    assert!(message.contains("it gave no answer within 0.001 s and was ended"), "{message}");
}

#[test]
fn a_report_that_cannot_be_written_is_known_before_the_work() {
    let setting = Setting::new();
    let below_a_file = setting.model().join("eval.json");
    let message = setting.failure("eval", &["--seconds", "3600", "--out", below_a_file.to_str().unwrap()]);
    assert!(message.contains("mnist.onnx"), "{message}");
}

#[test]
fn bad_numbers_are_refused() {
    let setting = Setting::new();
    for options in [
        ["--seconds", "0"],
        ["--seconds", "NaN"],
        ["--batches", "0"],
        ["--batches", "1,x"],
        ["--limit", "0"],
        ["--threads", "0"],
        ["--providers", "cdua"],
        ["--providers", "a b"],
        ["--engines", "cpu"],
        ["--provider-option", "openvino"],
        ["--provider-option", "openvino.num_streams=1"],
    ] {
        let message = setting.failure("eval", &options);
        assert!(message.contains(options[0]), "{message}");
    }
}
