//! Texts from outside, as people may read them.
//!
//! A name in a model, an archive or a folder is whatever a stranger wrote. Raw, it could break a line and go on with one that looks
//! like a verdict, move the cursor of a terminal, or turn the direction of writing around. So whatever is shown passes here: what
//! cannot be seen is written out, in the way of JSON, so that a JSON text stays one.

use std::fmt::{Display, Write};

/// Whether a character is seen as something else than itself: control characters, breaks of lines and paragraphs, and the marks that
/// change the direction of writing (Unicode's Bidi_Control) or have no width.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Writes out the hidden characters of a text but `kept`.
fn written_out(text: &str, kept: &[char]) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            character if kept.contains(&character) || !is_hidden(character) => plain.push(character),
            '\n' => plain.push_str("\\n"),
            '\r' => plain.push_str("\\r"),
            '\t' => plain.push_str("\\t"),
            // None of them needs more than four digits.
            hidden => {
                let _ = write!(plain, "\\u{:04x}", u32::from(hidden));
            }
        }
    }
    plain
}

/// A text as a part of one line. What is plain already stays as it is.
pub fn plain(text: &str) -> String {
    written_out(text, &[])
}

/// A line with its end, whatever the texts in it hold.
pub fn line(text: impl Display) -> String {
    plain(&text.to_string()) + "\n"
}

/// Lines that were put together by [`line()`]: all hidden characters but ends of lines and tabulators are written out.
pub fn lines(text: impl Display) -> String {
    written_out(&text.to_string(), &['\n', '\t'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        for (text, shown) in [
            ("encoder.layer.0/MatMul_1", "encoder.layer.0/MatMul_1"),
            ("größe 文 🦀 a\u{301}", "größe 文 🦀 a\u{301}"),
            ("x\nPassed.\r\n\t", "x\\nPassed.\\r\\n\\t"),
            ("\u{1b}[2J\u{7}\u{7f}\u{9b}", "\\u001b[2J\\u0007\\u007f\\u009b"),
            ("a\u{2028}b\u{85}c\u{202e}d\u{200b}\u{feff}", "a\\u2028b\\u0085c\\u202ed\\u200b\\ufeff"),
        ] {
            assert_eq!(plain(text), shown);
            assert_eq!(plain(shown), shown);
            assert_eq!(line(text), format!("{shown}\n"));
        }
        assert_eq!(lines("a\tb\n\u{1b}[1mc\n"), "a\tb\n\\u001b[1mc\n");
    }
}
