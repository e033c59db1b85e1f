//! Pages that need nothing but a browser: no network, no scripts, light and dark, on paper and on a phone.

mod chart;
mod curve;
mod picture;

pub use chart::{Bar, bars};
pub use curve::{Curve, curves};
pub use picture::digit;

use std::fmt::Write;

/// The look of every page.
const STYLE: &str = include_str!("style.css");

/// A text with HTML's own characters written out.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
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

/// A whole page. `body` is HTML, the title a text.
pub fn document(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// A section with a heading. `body` is HTML.
pub fn section(heading: &str, body: &str) -> String {
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(heading))
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

/// A table of texts with a caption. The first cell of a row is its heading.
pub fn table(caption: &str, headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = format!(
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\">\n<table>\n<caption>{0}</caption>\n<thead><tr>",
        escape(caption)
    );
    for heading in headings {
        let _ = write!(html, "<th scope=\"col\">{}</th>", escape(heading));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in rows {
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

/// A command that a reader can repeat.
pub fn command(text: &str) -> String {
    format!("<pre><code>{}</code></pre>\n", escape(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_cannot_become_markup() {
        let page = document("<b>", &table("a & b", &["x"], &[vec!["<script>".to_owned(), "\"".to_owned()]]));
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
