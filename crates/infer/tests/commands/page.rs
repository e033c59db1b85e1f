//! Pages, as strictly as a browser that forgives nothing would read them.

/// Whether every element that is opened is closed, in order, and whether the page does without the network. Not a parser
/// of all HTML, but of what reports are written in.
pub fn assert_well_formed(page: &str) {
    const VOID: [&str; 2] = ["meta", "img"];
    assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"));
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.trim_start_matches("<!doctype html>");
    while let Some((_, tag)) = rest.split_once('<') {
        let (tag, after) = tag.split_once('>').expect("a tag ends");
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
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
