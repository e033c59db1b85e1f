//! Pages that need nothing but a browser: no network, no scripts, light and dark, on paper and on a phone.

mod chart;
mod curve;
mod picture;
mod scatter;

pub use chart::{Bar, bars};
pub use curve::{Curve, curves};
pub use picture::picture;
pub use scatter::{Point, scatter};

use std::fmt::Write;

use artifact::GENERATOR;

use terminal::plain::plain;
use terminal::table::Grid;

/// The look of every page.
const STYLE: &str = include_str!("style.css");

/// A text with HTML's own characters written out, and all that cannot be seen.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in plain(text).chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// A text as the value of an attribute, without the quotation marks around it.
pub fn attribute(text: &str) -> String {
    escape(text)
}

/// A page with contents to jump to.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The title and first heading, a text.
    pub title: String,
    /// What stands below the title: HTML, or nothing.
    pub lead: String,
    /// Where to jump to: the identifiers of elements of `body` and what they are called.
    pub contents: Vec<(String, String)>,
    /// Everything else: HTML.
    pub body: String,
}

impl Page {
    /// The whole page.
    pub fn render(&self) -> String {
        let Self { lead, contents, body, .. } = self;
        let title = escape(&self.title);
        let links: String = contents
            .iter()
            .map(|(id, text)| format!("<li><a href=\"#{}\">{}</a></li>\n", attribute(id), escape(text)))
            .collect();
        let contents = match links.as_str() {
            "" => String::new(),
            links => format!("<nav aria-label=\"Contents\">\n<ul>\n{links}</ul>\n</nav>\n"),
        };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <meta name=\"generator\" content=\"{GENERATOR}\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<a class=\"skip\" href=\"#content\">Skip to the content</a>\n\
             <header>\n<h1>{title}</h1>\n{lead}{contents}</header>\n\
             <main id=\"content\" tabindex=\"-1\">\n{body}</main>\n</body>\n</html>\n"
        )
    }
}

/// A section with a heading that links lead to. `body` is HTML.
pub fn chapter(id: &str, heading: &str, body: &str) -> String {
    let (id, heading) = (attribute(id), escape(heading));
    format!(
        "<section class=\"chapter\" id=\"{id}\" aria-labelledby=\"{id}-title\">\n<h2 id=\"{id}-title\">{heading}</h2>\n{body}</section>\n"
    )
}

/// A part of a chapter, with a heading of its own. `body` is HTML.
pub fn part(heading: &str, body: &str) -> String {
    format!("<section class=\"part\">\n<h3>{}</h3>\n{body}</section>\n", escape(heading))
}

/// The first thing that a reader sees: whether all is well, and what is not.
pub fn verdict(passed: &str, failures: &[String]) -> String {
    match failures {
        [] => format!("<p class=\"verdict good\"><strong>Passed.</strong> {}</p>\n", escape(passed)),
        failures => {
            let items: String = failures.iter().map(|failure| format!("<li>{}</li>\n", escape(failure))).collect();
            format!("<div class=\"verdict bad\"><p><strong>Failed.</strong></p>\n<ul>\n{items}</ul></div>\n")
        }
    }
}

/// A table that most readers will not need, folded away. `body` is HTML.
pub fn folded(summary: &str, body: &str) -> String {
    format!("<details>\n<summary>{}</summary>\n{body}</details>\n", escape(summary))
}

/// A table with a caption.
pub fn table(grid: &Grid) -> String {
    table_of("", grid)
}

/// A table of words, which may break into lines.
pub fn words(grid: &Grid) -> String {
    table_of(" class=\"texts\"", grid)
}

fn table_of(class: &str, grid: &Grid) -> String {
    let mut html = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table{class}>\n<caption>{}</caption>\n<thead><tr>",
        attribute(&grid.caption),
        escape(&grid.caption)
    );
    for heading in &grid.headings {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(heading));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in &grid.rows {
        html += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = match column {
                0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                _ => write!(html, "<td>{cell}</td>"),
            };
        }
        html += "</tr>\n";
    }
    html += "</tbody>\n</table>\n</div>\n";
    html
}

/// Names and values.
pub fn facts(pairs: &[(&str, String)]) -> String {
    let items: String =
        pairs.iter().map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value))).collect();
    format!("<dl>\n{items}</dl>\n")
}

/// A paragraph of text.
pub fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escape(text))
}

/// How to repeat what stands above: a command.
pub fn repeat(text: &str) -> String {
    format!("<p class=\"repeat\">To repeat it: {}</p>\n", code(text))
}

/// A command that a reader can repeat.
pub fn command(text: &str) -> String {
    format!("<pre>{}</pre>\n", code(text))
}

/// A command whose lines break before an option, and not after its hyphens.
fn code(text: &str) -> String {
    let word = |word: &str| match word.starts_with('-') {
        true => format!("<span class=\"word\">{}</span>", escape(word)),
        false => escape(word),
    };
    format!("<code>{}</code>", text.split(' ').map(word).collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_markup() {
        let page = {
            let body = table(&Grid::new("a & b", &["x"], vec![vec!["<script>".to_owned(), "\"".to_owned()]]));
            Page { title: "<b>".to_owned(), lead: String::new(), contents: Vec::new(), body }.render()
        };
        assert!(page.contains("<title>&lt;b&gt;</title>") && page.contains("a &amp; b"));
        assert!(page.contains("&lt;script&gt;") && !page.contains("<script"));
    }

    #[test]
    fn a_verdict_names_what_failed() {
        assert!(verdict("All well.", &[]).contains("Passed.</strong> All well."));
        let failed = verdict("All well.", &["one".to_owned(), "two".to_owned()]);
        assert!(failed.contains("<li>one</li>") && failed.contains("<li>two</li>") && !failed.contains("All well"));
    }
}
