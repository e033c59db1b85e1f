//! Fetching wheels through pip, from an index of our own.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use artifact::{Digest, sha256_bytes};
use clap::Parser;
use cli::fetch::FetchArgs;
use fetch::{Archive, Fetched, FileEntry, Manifest, Observer, Options, Patience, Source, fetch, unpack};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::server::{Server, head, serve, serve_by};
use crate::sources::Log;

const PLATFORM: &str = "linux-x86_64";

struct Silent;

/// The command without any option.
#[derive(Parser)]
struct Plain {
    #[command(flatten)]
    fetch: FetchArgs,
}

impl Observer for Silent {
    fn source(&mut self, _source: &str) {}
    fn progress(&mut self, _name: &str, _bytes: u64, _total: Option<u64>) {}
    fn recorded(&mut self, _name: &str, _sha256: Digest) {}
    fn failed(&mut self, _source: &str, _reason: &str) {}
}

/// The wheel of version 1.0 of a package, with these files in the folder `lib`.
fn wheel(package: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let about = format!("{package}-1.0.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n");
    let mut members = vec![
        (format!("{about}/METADATA"), metadata),
        (format!("{about}/WHEEL"), "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n".to_owned()),
        (format!("{about}/RECORD"), String::new()),
    ];
    members.extend(files.iter().map(|(name, content)| (format!("lib/{name}"), (*content).to_owned())));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in members {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An index with these wheels: a page for each package, and the files that it links to.
fn index(wheels: &[(&str, &[u8])]) -> Server {
    let name = |package: &str| format!("{package}-1.0-py3-none-any.whl");
    let page = |package: &str| format!("<a href=\"{0}\">{0}</a>", name(package)).into_bytes();
    let pages = wheels.iter().map(|(package, _)| (format!("{package}/"), page(package)));
    let files = wheels.iter().map(|(package, bytes)| (format!("{package}/{}", name(package)), bytes.to_vec()));
    let all: Vec<(String, Vec<u8>)> = pages.chain(files).collect();
    serve(&all.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())).collect::<Vec<_>>())
}

fn entry(name: &str, content: &str) -> FileEntry {
    FileEntry {
        name: format!("{PLATFORM}/{name}"),
        platform: Some(PLATFORM.to_owned()),
        bytes: Some(content.len() as u64),
        sha256: Some(sha256_bytes(content.as_bytes())),
        at_most: None,
        executable: false,
    }
}

fn options(patience: Patience) -> Options<'static> {
    Options { platform: PLATFORM.to_owned(), from: None, patience }
}

fn source(index: &Server, package: &str, wheel: &[u8], files: &[&str]) -> Source {
    Source::Pip {
        platform: Some(PLATFORM.to_owned()),
        index: Some(index.base.clone()),
        package: package.to_owned(),
        version: "1.0".to_owned(),
        sha256: sha256_bytes(wheel),
        tag: "manylinux_2_28_x86_64".to_owned(),
        folder: "lib".to_owned(),
        files: files.iter().map(|name| (*name).to_owned()).collect(),
    }
}

#[test]
fn several_packages_make_one_data_set_and_only_those_with_missing_files_are_asked() {
    let one = wheel("one", &[("liba.so.1", "a"), ("unwanted", "-")]);
    let two = wheel("two", &[("libb.so.1", "b"), ("libc.so.1", "c")]);
    let server = index(&[("one", &one), ("two", &two)]);
    let manifest = Manifest {
        title: "libraries".to_owned(),
        licence: "MIT".to_owned(),
        otherwise: None,
        files: vec![entry("liba.so.1", "a"), entry("libb.so.1", "b"), entry("libc.so.1", "c")],
        sources: vec![
            source(&server, "one", &one, &["liba.so.1"]),
            source(&server, "two", &two, &["libb.so.1", "libc.so.1"]),
        ],
    };
    let folder = tempfile::tempdir().unwrap();
    let take = || fetch(&manifest, folder.path(), &options(Patience::default()), &mut Silent);
    let base = &server.base;
    let both = format!("the Python package one 1.0 of {base}, the Python package two 1.0 of {base}");
    assert_eq!(take().unwrap(), Fetched::From(both));
    let mut names: Vec<_> =
        fs::read_dir(folder.path().join(PLATFORM)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["liba.so.1", "libb.so.1", "libc.so.1"]);
    assert_eq!(take().unwrap(), Fetched::Present);

    server.asked.lock().unwrap().clear();
    fs::remove_file(folder.path().join(PLATFORM).join("libc.so.1")).unwrap();
    assert_eq!(take().unwrap(), Fetched::From(format!("the Python package two 1.0 of {base}")));
    let asked = server.asked.lock().unwrap().clone();
    assert!(!asked.is_empty() && asked.iter().all(|path| path.starts_with("/two/")), "{asked:?}");
}

#[test]
fn a_package_that_fails_costs_its_own_files_alone() {
    let one = wheel("one", &[("liba.so.1", "a")]);
    let other = wheel("two", &[("libb.so.1", "not b")]);
    let server = index(&[("one", &one), ("two", &other)]);
    let manifest = Manifest {
        title: "libraries".to_owned(),
        licence: "MIT".to_owned(),
        otherwise: None,
        files: vec![entry("liba.so.1", "a"), entry("libb.so.1", "b")],
        sources: vec![
            // Its wheel is another one than the manifest means.
            source(&server, "two", &wheel("two", &[("libb.so.1", "b")]), &["libb.so.1"]),
            source(&server, "one", &one, &["liba.so.1"]),
        ],
    };
    let folder = tempfile::tempdir().unwrap();
    let error = fetch(&manifest, folder.path(), &options(Patience::default()), &mut Silent).unwrap_err().to_string();
    assert!(error.contains("the Python package two 1.0") && !error.contains("package one"), "{error}");
    assert!(folder.path().join(PLATFORM).join("liba.so.1").is_file());
    assert!(!folder.path().join(PLATFORM).join("libb.so.1").exists());
}

/// Workers look for NVIDIA's libraries in the folder of the platform, and the two sets are large and not free: they come by their
/// names alone.
#[test]
fn every_manifest_is_sound_and_nvidias_libraries_lie_where_they_are_looked_for() {
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets");
    let mut names = Vec::new();
    for entry in fs::read_dir(&datasets).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            Manifest::read(&path).unwrap();
            names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    for name in ["cuda", "tensorrt"] {
        assert!(names.iter().any(|one| one == name), "{names:?}");
        let manifest = Manifest::read(datasets.join(format!("{name}.toml"))).unwrap();
        assert!(manifest.licence.contains("NVIDIA"), "{}", manifest.licence);
        for file in &manifest.files {
            assert_eq!(file.name, format!("{PLATFORM}/{}", file.source_name()));
            assert_eq!(file.platform.as_deref(), Some(PLATFORM));
        }
    }
    let plain = Plain::parse_from(["fetch"]).fetch.names;
    assert_eq!(plain, ["mnist", "onnxruntime"]);
}

#[test]
fn a_package_that_stops_on_its_way_is_left() {
    let whole = wheel("one", &[("liba.so.1", "a")]);
    let name = "one-1.0-py3-none-any.whl";
    let half = whole[..whole.len() / 2].to_vec();
    let announced = whole.len();
    let stuck = serve_by(move |path, stream| {
        let answer = match path {
            "/one/" => {
                [head("text/html", 2 * name.len() + 15), format!("<a href=\"{name}\">{name}</a>").into()].concat()
            }
            _ => [head("application/octet-stream", announced), half.clone()].concat(),
        };
        let _ = stream.write_all(&answer);
        if path != "/one/" {
            sleep(Duration::from_secs(20));
        }
    });
    let good = serve(&[("liba.so.1", b"a".to_vec())]);
    let manifest = Manifest {
        title: "libraries".to_owned(),
        licence: "MIT".to_owned(),
        otherwise: None,
        files: vec![entry("liba.so.1", "a")],
        sources: vec![
            source(&stuck, "one", &whole, &[]),
            Source::Https { base: good.base.clone(), suffix: String::new() },
        ],
    };
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::default();
    let patience = Patience { idle_client: Duration::from_secs(3), ..Patience::default() };
    let fetched = fetch(&manifest, folder.path(), &options(patience), &mut log).unwrap();
    assert_eq!(fetched, Fetched::From(good.base));
    assert_eq!(log.failures.len(), 1);
    assert!(log.failures[0].ends_with("`pip` failed: it brought nothing for 3 s"), "{:?}", log.failures);
}

/// The seeds of the fuzzer: archives with a member above their folder, and a packed file.
#[test]
fn only_what_is_wanted_comes_out_of_an_archive_and_never_beside_the_folder() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/archive");
    for (name, kind, content) in [
        ("outside.tar", Archive::Tar, "bytes".to_owned()),
        ("stored.zip", Archive::Zip, "bytes".repeat(20)),
        ("gzip", Archive::Gzip, "bytes".repeat(50)),
    ] {
        let place = tempfile::tempdir().unwrap();
        let (archive, folder) = (place.path().join("archive"), place.path().join("folder"));
        fs::create_dir(&folder).unwrap();
        // The first byte of a seed is the kind.
        fs::write(&archive, &fs::read(seeds.join(name)).unwrap()[1..]).unwrap();
        let wanted = crate::sources::entry("images", content.as_bytes());
        unpack(kind, &archive, "package/data", &[wanted], &folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("images")).unwrap(), content, "{name}");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "{name}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2, "{name}");
        let other = crate::sources::entry("images", b"others");
        let error = unpack(kind, &archive, "package/data", &[other], &folder).unwrap_err();
        assert!(error.contains("images has "), "{name}: {error}");
    }
}

/// As in a model folder with `config.json` and `1_Pooling/config.json`.
#[test]
fn files_of_one_name_in_several_folders_are_told_apart() {
    let wanted: Vec<_> = [("a/config", "inner"), ("config", "outer")]
        .map(|(name, content)| crate::sources::entry(name, content.as_bytes()))
        .into();
    let place = tempfile::tempdir().unwrap();
    let (tar, zip) = (place.path().join("archive.tgz"), place.path().join("archive.zip"));
    let mut in_tar = tar::Builder::new(Vec::new());
    let mut in_zip = zip::ZipWriter::new(fs::File::create(&zip).unwrap());
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in [("model/a/config", "inner"), ("model/config", "outer")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_cksum();
        in_tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        in_zip.start_file(name, stored).unwrap();
        std::io::Write::write_all(&mut in_zip, content.as_bytes()).unwrap();
    }
    fs::write(&tar, crate::sources::gzip(&in_tar.into_inner().unwrap())).unwrap();
    in_zip.finish().unwrap();
    for (kind, archive) in [(Archive::Tar, &tar), (Archive::Zip, &zip)] {
        let folder = tempfile::tempdir().unwrap();
        unpack(kind, archive, "model", &wanted, folder.path()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a/config")).unwrap(), "inner");
        assert_eq!(fs::read_to_string(folder.path().join("config")).unwrap(), "outer");
    }
}
