//! Lists of what is known not to work, written down exactly: a test fails when something new stops working, and also
//! when something listed works. `UPDATE_LISTS=1` writes them anew, for a reviewer to look at.
//!
//! The list of edge values was found on x86-64 with AVX-512. Kernels for other processors may have NaN and overflow at other
//! places, so elsewhere what differs from that list is printed and is no failure.

use std::path::Path;

/// Compares what was found with the committed list; `details` say more of each line.
pub fn check(name: &str, found: &[String], details: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports/lists").join(name);
    let text: String = found.iter().map(|line| format!("{line}\n")).collect();
    if std::env::var_os("UPDATE_LISTS").is_some() {
        std::fs::write(&path, &text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let known = read(name);
    let is_new = |line: &&String| !known.lines().any(|known| known == **line);
    let news: Vec<&String> = found.iter().filter(is_new).collect();
    let gone: Vec<&str> = known.lines().filter(|line| !found.iter().any(|found| found == line)).collect();
    let path = path.display();
    assert!(
        text == known,
        "{path}: found and not listed {news:#?}\nlisted and not found {gone:#?}\n{}",
        details.join("\n")
    );
}

/// As [`check`] on the kind of processor that the list was found on; elsewhere differences are printed.
pub fn check_on_this_processor(name: &str, found: &[String], details: &[String]) {
    #[cfg(target_arch = "x86_64")]
    let same = std::arch::is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    let same = false;
    if same {
        return check(name, found, details);
    }
    let known = read(name);
    for line in found.iter().filter(|line| !known.lines().any(|known| known == **line)) {
        eprintln!("on this processor, and not in {name}: {line}");
    }
    for line in known.lines().filter(|line| !found.iter().any(|found| found == line)) {
        eprintln!("in {name}, and not on this processor: {line}");
    }
}

/// A committed list.
pub fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/exports/lists").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// `11, 13`.
pub fn numbers(opsets: &[i64]) -> String {
    opsets.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}
