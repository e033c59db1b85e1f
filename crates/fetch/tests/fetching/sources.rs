//! Sources, honest and otherwise.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;

use artifact::{Digest, sha256_bytes};
use fetch::{FetchError, Fetched, FileEntry, Manifest, Observer, Options, Patience, Source, fetch, is_intact};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::server::{Server, serve};

/// What a source is expected to give.
const IMAGES: &[u8] = b"two hundred images of digits, more or less";
const LABELS: &[u8] = b"6, 0, 5";

#[derive(Default)]
pub struct Log {
    pub failures: Vec<String>,
    recorded: Vec<String>,
    last: u64,
}

impl Observer for Log {
    fn source(&mut self, _source: &str) {}
    fn progress(&mut self, _name: &str, bytes: u64, _total: Option<u64>) {
        self.last = bytes;
    }
    fn recorded(&mut self, name: &str, _sha256: Digest) {
        self.recorded.push(name.to_owned());
    }
    fn failed(&mut self, source: &str, reason: &str) {
        self.failures.push(format!("{source}: {reason}"));
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn entry(name: &str, content: &[u8]) -> FileEntry {
    FileEntry {
        name: name.to_owned(),
        platform: None,
        bytes: Some(content.len() as u64),
        sha256: Some(sha256_bytes(content)),
        at_most: None,
        executable: false,
    }
}

fn manifest(bases: &[(&str, &str)]) -> Manifest {
    Manifest {
        title: "digits".to_owned(),
        licence: "MIT".to_owned(),
        otherwise: None,
        files: vec![entry("images", IMAGES), entry("labels", LABELS)],
        sources: bases
            .iter()
            .map(|(base, suffix)| Source::Https { base: (*base).to_owned(), suffix: (*suffix).to_owned() })
            .collect(),
    }
}

/// Takes away what is stated of a file, but a bound.
fn unstate(file: &mut FileEntry) {
    (file.bytes, file.sha256, file.at_most) = (None, None, Some(1000));
}

fn on(platform: &str) -> Options<'static> {
    Options { platform: platform.to_owned(), from: None, patience: Patience::default() }
}

fn any() -> Options<'static> {
    on("any")
}

fn out_of(folder: &Path) -> Options<'_> {
    Options { from: Some(folder), ..any() }
}

fn honest() -> Server {
    serve(&[("images.gz", gzip(IMAGES)), ("labels.gz", gzip(LABELS))])
}

/// A port on which nobody listens.
fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

pub fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

fn complete() -> Vec<(String, Vec<u8>)> {
    vec![("images".to_owned(), IMAGES.to_vec()), ("labels".to_owned(), LABELS.to_vec())]
}

#[test]
fn a_server_gives_the_files_once() {
    let (server, folder, mut log) = (honest(), tempfile::tempdir().unwrap(), Log::default());
    let manifest = manifest(&[(&server.base, ".gz")]);
    let first = fetch(&manifest, folder.path(), &any(), &mut log).unwrap();
    assert_eq!(first, Fetched::From(server.base.clone()));
    assert_eq!(content(folder.path()), complete());
    assert_eq!(log.last, LABELS.len() as u64);
    assert_eq!(fetch(&manifest, folder.path(), &any(), &mut log).unwrap(), Fetched::Present);
    assert_eq!(*server.asked.lock().unwrap(), ["/images.gz", "/labels.gz"]);
}

#[test]
fn damaged_files_are_fetched_again_and_intact_ones_are_not() {
    let (server, folder) = (honest(), tempfile::tempdir().unwrap());
    let manifest = manifest(&[(&server.base, ".gz")]);
    let mut flipped = LABELS.to_vec();
    flipped[0] ^= 1;
    for damaged in [&LABELS[..3], &flipped, b""] {
        fs::write(folder.path().join("images"), IMAGES).unwrap();
        fs::write(folder.path().join("labels"), damaged).unwrap();
        server.asked.lock().unwrap().clear();
        fetch(&manifest, folder.path(), &any(), &mut Log::default()).unwrap();
        assert_eq!(content(folder.path()), complete());
        assert_eq!(*server.asked.lock().unwrap(), ["/labels.gz"]);
    }
}

#[test]
fn the_next_source_is_tried_whatever_the_first_one_does() {
    let mut other = IMAGES.to_vec();
    other.reverse();
    let broken = gzip(IMAGES);
    let servers = [
        (serve(&[]), "", "404"),
        (serve(&[("images", other)]), "", "SHA-256"),
        (serve(&[("images", IMAGES[..9].to_vec())]), "", "9 bytes"),
        (serve(&[("images", [IMAGES, b"!"].concat())]), "", "more than"),
        (serve(&[("images.gz", broken[..broken.len() / 2].to_vec())]), ".gz", "cannot be read"),
        (serve(&[("images.gz", b"no gzip".to_vec())]), ".gz", "cannot be read"),
    ];
    let honest = honest();
    for (server, suffix, reason) in &servers {
        let (folder, mut log) = (tempfile::tempdir().unwrap(), Log::default());
        let manifest = manifest(&[(&closed(), ""), (&server.base, suffix), (&honest.base, ".gz")]);
        let fetched = fetch(&manifest, folder.path(), &any(), &mut log).unwrap();
        assert_eq!(fetched, Fetched::From(honest.base.clone()));
        assert_eq!(content(folder.path()), complete(), "after a server that fails with {reason}");
        assert_eq!(log.failures.len(), 2, "{:?}", log.failures);
        assert!(log.failures[1].contains(reason), "{:?} does not say {reason}", log.failures);
    }
}

#[test]
fn when_no_source_works_the_error_names_them_all_and_nothing_is_left() {
    let (lying, folder) = (serve(&[("images", LABELS.to_vec())]), tempfile::tempdir().unwrap());
    let closed = closed();
    let manifest = manifest(&[(&closed, ""), (&lying.base, "")]);
    let error = fetch(&manifest, folder.path(), &any(), &mut Log::default()).unwrap_err();
    let text = error.to_string();
    let ways = Manifest { otherwise: Some("draw your own".to_owned()), ..manifest.clone() };
    let other = fetch(&ways, folder.path(), &any(), &mut Log::default()).unwrap_err().to_string();
    assert!(other.ends_with("; draw your own") && !other.contains("--from"), "{other}");
    assert!(matches!(error, FetchError::AllFailed { ref reasons, .. } if reasons.len() == 2), "{text}");
    assert!(text.contains(&closed) && text.contains(&lying.base) && text.contains("--from"), "{text}");
    assert_eq!(content(folder.path()), []);
}

#[test]
fn files_had_by_hand_are_verified_too() {
    let (by_hand, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(by_hand.path().join("images"), IMAGES).unwrap();
    let manifest = manifest(&[]);
    let take = || fetch(&manifest, folder.path(), &out_of(by_hand.path()), &mut Log::default());

    let missing = take().unwrap_err().to_string();
    assert!(missing.contains("labels is not in it"), "{missing}");
    fs::write(by_hand.path().join("labels"), b"7, 0, 5").unwrap();
    let wrong = take().unwrap_err().to_string();
    assert!(wrong.contains("labels has SHA-256"), "{wrong}");
    fs::remove_file(by_hand.path().join("labels")).unwrap();
    fs::write(by_hand.path().join("labels.gz"), gzip(LABELS)).unwrap();
    take().unwrap();
    assert_eq!(content(folder.path()), complete());
}

#[test]
fn only_the_files_of_the_platform_are_fetched() {
    let (server, folder) = (honest(), tempfile::tempdir().unwrap());
    let mut manifest = manifest(&[(&server.base, ".gz")]);
    manifest.files[0].platform = Some("vax-vms".to_owned());
    fetch(&manifest, folder.path(), &on("linux-x86_64"), &mut Log::default()).unwrap();
    assert_eq!(content(folder.path()), [("labels".to_owned(), LABELS.to_vec())]);
    manifest.files.pop();
    let none = fetch(&manifest, folder.path(), &on("linux-x86_64"), &mut Log::default()).unwrap_err().to_string();
    assert!(none.contains("not available for linux-x86_64"), "{none}");
}

#[test]
fn without_a_stated_hash_the_first_fetch_decides() {
    let folder = tempfile::tempdir().unwrap();
    let unstated = |server: &Server| {
        let mut manifest = manifest(&[(&server.base, "")]);
        for file in &mut manifest.files {
            unstate(file);
        }
        manifest
    };
    let take = |server: &Server, log: &mut Log| fetch(&unstated(server), folder.path(), &any(), log);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let first = serve(&[("images", IMAGES.to_vec()), ("labels", LABELS.to_vec())]);
    let mut log = Log::default();
    take(&first, &mut log).unwrap();
    assert_eq!(log.recorded, ["images", "labels"]);
    assert_eq!((read("images"), read("labels")), (IMAGES.to_vec(), LABELS.to_vec()));

    // Another content is refused from then on, and the first one taken back.
    let other = serve(&[("images", LABELS.to_vec()), ("labels", LABELS.to_vec())]);
    assert_eq!(take(&other, &mut Log::default()).unwrap(), Fetched::Present);
    fs::write(folder.path().join("images"), b"damaged").unwrap();
    let error = take(&other, &mut Log::default()).unwrap_err().to_string();
    assert!(error.contains(&format!("images has {} bytes, not {}", LABELS.len(), IMAGES.len())), "{error}");
    let mut log = Log::default();
    take(&first, &mut log).unwrap();
    assert_eq!((read("images"), log.recorded), (IMAGES.to_vec(), Vec::new()));
}

#[test]
fn files_named_by_the_user_take_the_place_of_those_without_a_stated_hash() {
    let (by_hand, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut manifest = manifest(&[]);
    manifest.files.truncate(1);
    unstate(&mut manifest.files[0]);
    for content in [IMAGES, LABELS] {
        fs::write(by_hand.path().join("images"), content).unwrap();
        let mut log = Log::default();
        fetch(&manifest, folder.path(), &out_of(by_hand.path()), &mut log).unwrap();
        assert_eq!(
            (fs::read(folder.path().join("images")).unwrap(), log.recorded),
            (content.to_vec(), vec!["images".to_owned()])
        );
    }
    fs::write(folder.path().join("images"), b"damaged").unwrap();
    assert!(!is_intact(folder.path(), &manifest.files[0]).unwrap());
}

#[test]
fn files_of_the_users_own_are_left_alone_where_no_hash_is_stated() {
    let (server, folder) = (serve(&[("images", IMAGES.to_vec())]), tempfile::tempdir().unwrap());
    let mut manifest = manifest(&[(&server.base, "")]);
    manifest.files.truncate(1);
    unstate(&mut manifest.files[0]);
    fs::write(folder.path().join("images"), b"my own").unwrap();
    assert_eq!(fetch(&manifest, folder.path(), &any(), &mut Log::default()).unwrap(), Fetched::Present);
    assert_eq!(fs::read(folder.path().join("images")).unwrap(), b"my own");
}
