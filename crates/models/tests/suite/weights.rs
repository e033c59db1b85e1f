//! Weight files: every format that PyTorch and safetensors write, and what must be refused.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use models::weights::{Checkpoint, WeightsError, identity_name, load};

use crate::support::fixture;

fn open(name: &str) -> Result<Checkpoint, WeightsError> {
    Checkpoint::open(fixture(&format!("weights/{name}")))
}

fn floats(checkpoint: &Checkpoint, name: &str) -> Vec<f32> {
    checkpoint.tensors()[name].to_f32(name).unwrap().try_into_vec().unwrap()
}

/// The values of `tensors` in `generate_weights.py`.
fn assert_is_the_fixture(checkpoint: &Checkpoint, prefix: &str) {
    let count = |steps: std::ops::Range<i32>| steps.map(|step| step as f32);
    let values: Vec<f32> = count(0..24).map(|step| step / 8.0 - 1.0).collect();
    let transposed: Vec<f32> = (0..24).map(|index| values[index % 6 * 4 + index / 6]).collect();
    let expected = [
        ("linear.weight", vec![4, 6], values.clone()),
        ("linear.bias", vec![4], vec![0.5, -0.25, 2.0, -4.0]),
        ("half.weight", vec![4, 6], values.clone()),
        ("half.bias", vec![4], vec![1.0, 2.0, 3.0, -1.5]),
        ("double.weight", vec![4, 6], values),
        ("double.bias", vec![4], vec![0.0; 4]),
        ("view.weight", vec![4, 6], transposed),
        ("view.bias", vec![4], count(3..7).collect()),
    ];
    for (name, shape, values) in expected {
        let name = format!("{prefix}{name}");
        assert_eq!(checkpoint.tensors()[&name].shape, shape, "{name}");
        assert_eq!(floats(checkpoint, &name), values, "{name}");
    }
    let counter = format!("{prefix}counter");
    assert!(checkpoint.tensors()[&counter].shape.is_empty());
    let error = checkpoint.tensors()[&counter].to_f32(&counter).unwrap_err();
    assert!(matches!(error, WeightsError::NotFloat { .. }), "{error}");
}

#[test]
fn every_format_holds_the_same_tensors() {
    for name in ["zip.pth", "legacy.pth", "plain.safetensors", "sharded"] {
        let checkpoint = open(name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(checkpoint.tensors().len(), 9, "{name}");
        assert_is_the_fixture(&checkpoint, "");
        let files: Vec<_> = checkpoint.files().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
        match name {
            "sharded" => assert_eq!(files, ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]),
            _ => assert_eq!(files, [name]),
        }
    }
    assert_is_the_fixture(&open("nested.pth").unwrap(), "state_dict.");
}

#[test]
fn no_pickle_is_executed() {
    for name in ["danger-zip.pth", "danger-legacy.pth"] {
        // The tensors beside the dangerous object may be read; the object itself is never called.
        if let Ok(checkpoint) = open(name) {
            assert_eq!(checkpoint.tensors().keys().collect::<Vec<_>>(), ["linear.bias", "linear.weight"], "{name}");
            assert_eq!(floats(&checkpoint, "linear.weight"), [1.0; 24], "{name}");
        }
    }
    assert!(open("danger-plain.pth").is_err());
    assert!(!Path::new("pickle-was-executed").exists());
}

/// A copy of a fixture, changed.
fn changed(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(fixture(&format!("weights/{name}"))).unwrap();
    change(&mut bytes);
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// Opens, and reads every float tensor.
fn read_all(path: &Path) -> Result<(), WeightsError> {
    let checkpoint = Checkpoint::open(path)?;
    for (name, tensor) in checkpoint.tensors() {
        match tensor.to_f32(name) {
            Ok(_) | Err(WeightsError::NotFloat { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    for name in ["zip.pth", "legacy.pth", "plain.safetensors"] {
        let length = std::fs::metadata(fixture(&format!("weights/{name}"))).unwrap().len() as usize;
        for kept in (0..length).step_by(37).chain([length - 1]) {
            let (_folder, path) = changed(name, |bytes| bytes.truncate(kept));
            let error = read_all(&path).expect_err(&format!("{name} cut to {kept} of {length} bytes"));
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

/// PyTorch's zip files carry checksums: a bit that has changed is noticed, or lies where it means nothing.
#[test]
fn a_changed_bit_of_a_zip_file_never_gives_other_weights() {
    let length = std::fs::metadata(fixture("weights/zip.pth")).unwrap().len() as usize;
    let mut refused = 0;
    for position in (0..length).step_by(7) {
        let (_folder, path) = changed("zip.pth", |bytes| bytes[position] ^= 0x10);
        match read_all(&path) {
            Ok(()) => assert_is_the_fixture(&Checkpoint::open(&path).unwrap(), ""),
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("zip.pth"), "{error}");
            }
        }
    }
    assert!(refused > 0);
}

#[test]
fn a_tampered_safetensors_header_is_refused() {
    let replace = |from: &'static str, to: &'static str| {
        changed("plain.safetensors", move |bytes| {
            assert_eq!(from.len(), to.len());
            let position = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
            bytes[position..position + from.len()].copy_from_slice(to.as_bytes());
        })
    };
    // Another shape, another element type: the range no longer matches.
    for (from, to) in [("\"shape\":[4,6]", "\"shape\":[4,7]"), ("\"F64\"", "\"F32\"")] {
        let (_folder, path) = replace(from, to);
        let error = Checkpoint::open(&path).unwrap_err();
        assert!(error.to_string().contains("plain.safetensors is not a usable weight file"), "{error}");
    }
    let (_folder, path) = changed("plain.safetensors", |bytes| bytes[..8].fill(0x7f));
    assert!(Checkpoint::open(&path).is_err());
    let (_folder, path) = changed("plain.safetensors", |bytes| bytes.extend([0; 4]));
    assert!(Checkpoint::open(&path).is_err());
}

#[test]
fn shards_stay_in_their_folder_and_hold_what_the_index_says() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("model.safetensors.index.json");
    let reason = |map: &str| {
        std::fs::write(&index, format!("{{\"weight_map\": {map}}}")).unwrap();
        Checkpoint::open(folder.path()).unwrap_err().to_string()
    };
    for shard in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", ".."] {
        let text = reason(&format!("{{\"linear.weight\": {shard:?}}}"));
        assert!(text.contains("which is not a plain file name"), "{text}");
    }
    let text = reason("{\"linear.weight\": \"absent.safetensors\"}");
    assert!(text.contains("cannot read") && text.contains("absent.safetensors"), "{text}");
    std::fs::copy(fixture("weights/plain.safetensors"), folder.path().join("a.safetensors")).unwrap();
    let text = reason("{\"no.such\": \"a.safetensors\"}");
    assert!(text.contains("a.safetensors lacks no.such"), "{text}");
    let text = reason("[]");
    assert!(text.contains("is not a usable weight file"), "{text}");
}

#[test]
fn what_is_no_weight_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let text = Checkpoint::open(folder.path()).unwrap_err().to_string();
    assert!(text.contains("holds none of model.safetensors, model.safetensors.index.json"), "{text}");
    let path = folder.path().join("model.safetensors");
    for content in [&b""[..], b"{}", b"hello", b"<html><body>404</body></html>", &[0; 4096]] {
        std::fs::write(&path, content).unwrap();
        let text = Checkpoint::open(&path).unwrap_err().to_string();
        assert!(text.contains("model.safetensors"), "{text}");
    }
    let text = Checkpoint::open(folder.path().join("absent.pth")).unwrap_err().to_string();
    assert!(text.starts_with("cannot read") && text.contains("absent.pth"), "{text}");
}

#[derive(Module, Debug)]
struct Small {
    linear: Linear,
    view: Linear,
}

fn small(device: &Device) -> Small {
    let linear = || LinearConfig::new(6, 4).init(device);
    Small { linear: linear(), view: linear() }
}

/// The tensors of [`small`], behind any prefix.
fn of_small(checkpoint: Checkpoint) -> Checkpoint {
    let wanted = |name: &str| name.contains("linear.") || name.contains("view.");
    checkpoint.renamed(|name| wanted(name).then(|| name.to_owned())).unwrap()
}

#[test]
fn a_linear_layer_computes_what_pytorch_computes() {
    let device = Device::flex();
    for name in ["zip.pth", "plain.safetensors"] {
        let (network, report) = load(small(&device), &of_small(open(name).unwrap()), identity_name).unwrap();
        assert_eq!(report.prefix, "");
        assert_eq!(
            report.left_aside,
            ["counter", "double.bias", "double.weight", "half.bias", "half.weight"],
            "{name}"
        );
        let x = Tensor::<2>::from_floats([[1.0, 2.0, 0.0, 0.0, 0.0, 4.0]], &device);
        // Row 0 of the weight is -1, -0.875, …, -0.375; so 0.5 - 1 - 1.75 - 1.5, and each row adds 0.75 * 7.
        let linear: Vec<f32> = network.linear.forward(x.clone()).try_into_vec_as().unwrap();
        assert_eq!(linear, [-3.75, 0.75, 8.25, 7.5], "{name}");
        // Row 0 of the transposed view is -1, -0.5, 0, 0.5, 1, 1.5; so 3 - 1 - 1 + 6, and each row adds 0.125 * 7.
        let view: Vec<f32> = network.view.forward(x).try_into_vec_as().unwrap();
        assert_eq!(view, [7.0, 8.875, 10.75, 12.625], "{name}");
    }
}

#[test]
fn every_misfit_is_listed_at_once() {
    let device = Device::flex();
    let checkpoint = open("zip.pth").unwrap();
    let wide = Small { linear: LinearConfig::new(6, 4).init(&device), view: LinearConfig::new(5, 4).init(&device) };
    let error = load(wide, &checkpoint, |path| path.replace("linear.bias", "linear.offset")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("1 missing tensor (linear.offset)"), "{text}");
    assert!(text.contains("1 wrong shape (view.weight [4, 6] instead of [4, 5])"), "{text}");
    assert!(text.contains("unexpected tensors (counter, double.bias"), "{text}");
}

#[test]
fn two_names_for_one_parameter_are_refused() {
    let error = open("zip.pth").unwrap().renamed(|name| Some(name.replace("half", "linear"))).unwrap_err();
    assert!(matches!(error, WeightsError::Duplicate { .. }), "{error}");
}

#[test]
fn weights_are_found_where_training_scripts_store_them() {
    let device = Device::flex();
    let expected = load(small(&device), &of_small(open("zip.pth").unwrap()), identity_name).unwrap().0;
    let weight = |network: &Small| -> Vec<f32> { network.view.weight.val().into_data().try_into_vec().unwrap() };
    let cases = [
        ("nested.pth", "state_dict."),
        ("lightning.pth", "state_dict.model."),
        ("parallel.pth", "model_state_dict.module."),
        ("compiled.pth", ""),
        ("compiled-part.pth", "model."),
    ];
    for (name, prefix) in cases {
        let (network, report) = load(small(&device), &of_small(open(name).unwrap()), identity_name).unwrap();
        assert_eq!(report.prefix, prefix, "{name}");
        assert_eq!(weight(&network), weight(&expected), "{name}");
    }
    let (_, report) = load(small(&device), &open("lightning.pth").unwrap(), identity_name).unwrap();
    assert_eq!(report.left_aside, ["optimizer_states.0.exp_avg", "state_dict.model.norm.num_batches_tracked"]);
}

#[test]
fn weights_that_are_not_where_one_may_guess_are_told_with_the_way_on() {
    let device = Device::flex();
    let error = load(small(&device), &open("twice.pth").unwrap(), identity_name).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("twice.pth holds the network 2 times, under ema. and model.; save the one"), "{text}");
    assert!(text.contains("torch.save(torch.load(FILE, weights_only=True)[KEY]"), "{text}");

    let part = open("parallel.pth").unwrap().renamed(|name| Some(name.replace("view", "other"))).unwrap();
    let text = load(small(&device), &of_small(part), identity_name).unwrap_err().to_string();
    assert!(text.contains("2 missing tensors (view.weight, view.bias)"), "{text}");
    assert!(text.contains("compared without the \"model_state_dict.module.\" that stands before them"), "{text}");

    let error = load(small(&device), &open("zip.pth").unwrap(), identity_name).unwrap_err();
    assert!(error.to_string().contains("holds 5 tensors that the network has no place for: counter, "), "{error}");
}

/// `torch._neg_view` stores what it negates, and says so beside it.
#[test]
fn negated_tensors_are_refused_by_name() {
    for name in ["negated.pth", "negated-legacy.pth", "negated-protocol-4.pth"] {
        let error = open(name).unwrap_err();
        let WeightsError::Negated { names, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(names, &["linear.bias", "view.weight"], "{name}");
        assert!(error.to_string().contains("resolve_neg()"), "{error}");
    }
}

#[test]
fn other_formats_are_called_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        Checkpoint::open(&path).unwrap_err().to_string()
    };
    let fixed = |name: &str| open(name).unwrap_err().to_string();
    let cases = [
        (fixed("script.pt"), "script.pt is a TorchScript program; save its weights with"),
        (fixed("program.pt2"), "program.pt2 is a program that torch.export wrote (.pt2); save its weights with"),
        (fixed("list.pth"), "with a list where a dictionary of tensors belongs; save the weights alone"),
        (fixed("float8.pth"), "holds elements of type torch.float8_e4m3fn, which are not read; convert them"),
        (fixed("float8.safetensors"), "holds elements of type F8_E4M3 (linear.weight), which are not read"),
        (written("weights.h5", b"\x89HDF\r\n\x1a\n\0\0\0\0"), "weights.h5 is an HDF5 file"),
        (written("weights.gguf", b"GGUF\x03\0\0\0\0\0\0\0"), "weights.gguf is a GGUF file"),
        (written("weights.npy", b"\x93NUMPY\x01\0v\0{'descr'"), "weights.npy is a NumPy array"),
        (written("weights.bin", b"<!doctype html><html></html>"), "weights.bin is a web page"),
        (
            written("weights.safetensors", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"),
            "it is a Git LFS pointer, not the file itself; run `git lfs pull`",
        ),
    ];
    for (text, expected) in cases {
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("cut off"), "{text}");
    }
}
