//! The programs, with their versions and what a user must set.

/// Another program that takes ONNX files.
pub(crate) struct Program {
    /// Its name here, and of its driver.
    pub(crate) name: &'static str,
    /// Its name for people.
    pub(crate) title: &'static str,
    pub(crate) source: Source,
    pub(crate) kind: Kind,
    /// What a user must set, for the document.
    pub(crate) note: &'static str,
}

/// Where a program comes from; the first package is the program itself.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// PyPI: requirements with versions.
    Python(&'static [&'static str]),
    /// npm: a package with its version.
    Node(&'static str),
    /// crates.io: dependencies with their versions and what else is said of them, and the text of the program.
    Rust(&'static [(&'static str, &'static str, &'static str)], &'static str),
    /// It is not tried, for this reason.
    Elsewhere(&'static str, &'static str),
}

/// What a program does with a file.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    /// It computes.
    Runs,
    /// It writes another file, which ONNX Runtime computes.
    Rewrites,
}

impl Program {
    /// The packages with their versions.
    pub(crate) fn packages(&self) -> Vec<String> {
        match self.source {
            Source::Python(packages) => packages.iter().map(|package| (*package).to_owned()).collect(),
            Source::Node(package) => vec![package.to_owned()],
            Source::Rust(crates, _) => crates.iter().map(|(name, version, _)| format!("{name}={version}")).collect(),
            Source::Elsewhere(version, _) => vec![version.to_owned()],
        }
    }

    /// The version of the program.
    pub(crate) fn version(&self) -> String {
        let first = self.packages().into_iter().next().unwrap_or_default();
        first.rsplit(['=', '@']).next().unwrap_or_default().to_owned()
    }
}

const fn python(
    name: &'static str,
    title: &'static str,
    packages: &'static [&'static str],
    note: &'static str,
) -> Program {
    Program { name, title, source: Source::Python(packages), kind: Kind::Runs, note }
}

/// The programs, those that are quick to install first.
pub(crate) const PROGRAMS: [Program; 19] = [
    python("onnx", "ONNX's reference evaluator", &["onnx==1.23.2", "numpy==2.4.6"], ""),
    Program {
        kind: Kind::Rewrites,
        ..python(
            "version-converter",
            "ONNX's version converter, to opset 21",
            &["onnx==1.23.2", "numpy==2.4.6"],
            "A file of another opset is better exported than converted: `.opset(…)`.",
        )
    },
    Program { kind: Kind::Rewrites, ..python("onnxsim", "onnxsim", &["onnxsim==0.8.1", "onnx==1.23.2"], "") },
    Program { kind: Kind::Rewrites, ..python("onnxslim", "onnxslim", &["onnxslim==0.1.98", "onnx==1.23.2"], "") },
    python("opencv", "OpenCV's dnn", &["opencv-python-headless==5.0.0.93"], ""),
    python(
        "openvino",
        "OpenVINO",
        &["openvino==2026.4.1"],
        "`INFERENCE_PRECISION_HINT` = `f32`: it computes in bfloat16 by default where the processor has it.",
    ),
    python(
        "tinygrad",
        "tinygrad",
        &["tinygrad==0.14.0", "numpy==2.4.6"],
        "A new `OnnxRunner` for each size: a dynamic axis keeps the size of the first run. Its CPU device needs clang, which `CC` may name.",
    ),
    python(
        "mnn",
        "MNN",
        &["MNN==3.6.1", "numpy==2.4.6"],
        "`--useGeluApproximation 0` for its converter, which turns GELU into its approximation by tanh otherwise.",
    ),
    python(
        "tvm",
        "TVM",
        &["apache-tvm==0.27.0.post1", "onnx==1.23.2"],
        "The sizes of the inputs are given when it compiles.",
    ),
    python(
        "iree",
        "IREE",
        &["iree-base-compiler[onnx]==3.13.0", "iree-base-runtime==3.13.0"],
        "`--opset-version 17` for its importer, which takes no older opset as it is.",
    ),
    python(
        "jaxonnxruntime",
        "jaxonnxruntime",
        &["jaxonnxruntime==0.3.0", "jax==0.4.38", "flax==0.10.2", "onnx==1.23.2"],
        "",
    ),
    python("onnx2torch", "onnx2torch", &["onnx2torch==1.5.15", "torch==2.15.0"], ""),
    python(
        "onnx2tf",
        "onnx2tf",
        &["onnx2tf==1.29.24", "tensorflow==2.19.0"],
        "Give it a copy: it overwrites its input file. Images come out channels-last.",
    ),
    Program {
        name: "onnxruntime-web",
        title: "onnxruntime-web, on WebAssembly",
        source: Source::Node("onnxruntime-web@1.30.0"),
        kind: Kind::Runs,
        note: "",
    },
    Program {
        name: "rten",
        title: "rten",
        source: Source::Rust(&[("rten", "0.27.0", "")], include_str!("foreign/rten.rs")),
        kind: Kind::Runs,
        note: "Its integers are 32 bits wide; it takes int64 inputs as int32.",
    },
    Program {
        name: "candle-onnx",
        title: "candle-onnx",
        source: Source::Rust(
            &[("candle-onnx", "0.11.1", ""), ("candle-core", "0.11.1", "")],
            include_str!("foreign/candle_onnx.rs"),
        ),
        kind: Kind::Runs,
        note: "Its build runs protoc.",
    },
    Program {
        name: "tract",
        title: "tract",
        source: Source::Rust(&[("tract-onnx", "0.23.9", "")], include_str!("foreign/tract.rs")),
        kind: Kind::Runs,
        note: "",
    },
    Program {
        name: "burn-onnx",
        title: "burn-onnx",
        source: Source::Elsewhere(
            "0.22.0",
            "it writes Rust, which `cargo xtask bench roundtrip` compiles and compares",
        ),
        kind: Kind::Runs,
        note: "",
    },
    Program {
        name: "quantiser",
        title: "ONNX Runtime's own quantisation pre-processing",
        source: Source::Elsewhere("1.32.0", "its symbolic shape inference is tried by hand alone"),
        kind: Kind::Rewrites,
        note: "`--auto_merge` for a BERT: its symbolic shape inference stops at the sliced table of positions otherwise.",
    },
];

/// What embeds texts with a folder of `export encoder`.
pub(crate) const FASTEMBED: Program = Program {
    name: "fastembed",
    title: "fastembed",
    source: Source::Rust(
        &[("fastembed", "7.7.0", "default-features = false, features = [\"ort-load-dynamic\"]")],
        include_str!("foreign/fastembed.rs"),
    ),
    kind: Kind::Runs,
    note: "",
};
