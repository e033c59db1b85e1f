//! Pages, as strictly as a browser that forgives nothing would read them, and as a real one shows them.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Whether every element that is opened is closed, in order, and whether the page does without the network. Not a parser
/// of all HTML, but of what reports are written in.
pub fn assert_well_formed(page: &str) {
    const VOID: [&str; 2] = ["meta", "img"];
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    let mut open: Vec<&str> = Vec::new();
    for tag in tags(page) {
        let name = name(tag);
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "</{name}> closes another element");
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for outside in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

/// Whether a page can be used with a keyboard and a screen reader: landmarks, headings in order, captions and scopes,
/// pictures with words, and links that lead somewhere.
pub fn assert_accessible(page: &str) {
    let tags: Vec<&str> = tags(page).collect();
    let count = |wanted: &str| tags.iter().filter(|tag| name(tag) == wanted && !tag.starts_with('/')).count();
    for landmark in ["header", "main", "h1", "title"] {
        assert_eq!(count(landmark), 1, "<{landmark}>");
    }
    let mut level = 0;
    for tag in tags.iter().filter(|tag| matches!(name(tag), "h1" | "h2" | "h3" | "h4") && !tag.starts_with('/')) {
        let now: usize = name(tag)[1..].parse().unwrap();
        assert!(now <= level + 1, "<{tag}> comes after a heading of level {level}");
        level = now;
    }
    assert_eq!(count("table"), count("caption"));
    let has = |tag: &str, attribute: &str| tag.contains(&format!(" {attribute}=\""));
    let ids: Vec<&str> = tags.iter().filter_map(|tag| value(tag, "id")).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "an id is there twice: {ids:?}");
    for tag in tags {
        match name(tag) {
            _ if tag.starts_with('/') => {}
            "th" => assert!(has(tag, "scope"), "<{tag}>"),
            "img" => assert!(value(tag, "alt").is_some_and(|alt| !alt.is_empty()), "<{tag}>"),
            "svg" => assert!(has(tag, "aria-hidden") || (has(tag, "role") && has(tag, "aria-label")), "<{tag}>"),
            "a" => {
                let target =
                    value(tag, "href").and_then(|href| href.strip_prefix('#')).expect("a link within the page");
                assert!(ids.contains(&target), "#{target} leads nowhere");
            }
            _ => {}
        }
        for labelled in ["aria-labelledby", "aria-describedby"] {
            assert!(value(tag, labelled).is_none_or(|id| ids.contains(&id)), "<{tag}>");
        }
    }
    assert!(page.contains("class=\"skip\" href=\"#content\""), "there is no way past the contents");
}

/// Renders the page in a headless Chromium as wide as a telephone and as a desk, and checks that nothing sticks out, that
/// every picture is shown and that the browser has no complaint. Where there is no Chromium, that is said.
pub fn assert_renders(path: &Path) {
    let Some(browser) = browser() else {
        // Straight to standard error: what a test prints by `eprintln` is shown only if it fails.
        let note = "LEFT OUT: no Chromium is installed, so no page was rendered; its structure was checked.\n";
        std::io::stderr().write_all(note.as_bytes()).unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let frames: String = [390, 1280]
        .iter()
        .map(|width| {
            format!(
                "<iframe style=\"border:0;width:{width}px;height:800px\" src=\"file://{}\"></iframe>",
                path.display()
            )
        })
        .collect();
    let harness = folder.path().join("harness.html");
    std::fs::write(&harness, format!("<!doctype html>{frames}<pre id=\"result\"></pre><script>{MEASURE}</script>"))
        .unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files"])
        .args(["--enable-logging=stderr", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", harness.display()))
        .output()
        .unwrap();
    let (dom, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains("CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let result =
        dom.split("<pre id=\"result\">").nth(1).and_then(|rest| rest.split("</pre>").next()).unwrap_or_default();
    let frames: Vec<Value> =
        serde_json::from_str(&result.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
            .unwrap_or_else(|error| panic!("{error}: {result:?}\n{log}"));
    assert_eq!(frames.len(), 2);
    for frame in frames {
        assert_eq!(frame["wide"], Value::Array(Vec::new()), "these stick out of the page: {frame:#}");
        assert_eq!(frame["scroll"], frame["client"], "the page scrolls sideways: {frame:#}");
        assert_eq!(frame["broken"], 0, "pictures are not shown: {frame:#}");
        assert!(frame["height"].as_f64().unwrap() > 800.0, "there is nothing on the page: {frame:#}");
        assert_ne!(frame["font"], "", "the page has no style: {frame:#}");
    }
}

/// What sticks out of each frame (tables scroll inside regions of their own), and what is not shown.
const MEASURE: &str = "onload = () => { document.getElementById('result').textContent = JSON.stringify(\
[...document.querySelectorAll('iframe')].map(frame => { const page = frame.contentDocument, root = page.documentElement; return {\
 client: root.clientWidth, scroll: root.scrollWidth, height: root.scrollHeight, font: getComputedStyle(page.body).fontFamily,\
 broken: [...page.images].filter(image => !image.complete || image.naturalWidth === 0).length,\
 wide: [...page.querySelectorAll('main *, header *')].filter(one => !one.closest('.wide, details:not([open])') &&\
 one.getBoundingClientRect().right > root.clientWidth + 1).map(one => one.tagName + '.' + one.className) }; })); };";

/// The Chromium of this machine.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.is_file())
}

/// What stands between `<` and `>`.
fn tags(page: &str) -> impl Iterator<Item = &str> {
    page.trim_start_matches("<!doctype html>").split('<').skip(1).map(|tag| tag.split_once('>').expect("a tag ends").0)
}

fn name(tag: &str) -> &str {
    tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default()
}

fn value<'a>(tag: &'a str, attribute: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {attribute}=\""))?.1.split('"').next()
}
