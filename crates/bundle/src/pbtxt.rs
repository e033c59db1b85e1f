//! Protobuf's text format, as far as a configuration needs it.

use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;

/// A message: its fields in order, repeated ones one by one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    fields: Vec<(String, Field)>,
}

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// A number, a name of an enumeration, or a text without its quotation marks.
    Scalar(String),
    /// A message.
    Message(Message),
}

impl Message {
    /// The only scalar of this name, or `None` if there is none or are several.
    pub fn scalar(&self, name: &str) -> Option<&str> {
        match self.scalars(name).as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Every scalar of this name.
    pub fn scalars(&self, name: &str) -> Vec<&str> {
        let fields = self.fields.iter().filter(|(known, _)| known == name);
        fields
            .filter_map(|(_, field)| if let Field::Scalar(text) = field { Some(text.as_str()) } else { None })
            .collect()
    }

    /// Every message of this name.
    pub fn messages(&self, name: &str) -> Vec<&Message> {
        let fields = self.fields.iter().filter(|(known, _)| known == name);
        fields.filter_map(|(_, field)| if let Field::Message(message) = field { Some(message) } else { None }).collect()
    }
}

/// A text in quotation marks, in one line of printable characters: what is neither ASCII nor shown is written as its bytes in octal.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '\\' | '"' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            ' '..='~' => quoted.push(character),
            other => other.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| {
                let _ = write!(quoted, "\\{byte:03o}");
            }),
        }
    }
    quoted + "\""
}

/// Reads a message. Lists such as `dims: [ 1, 28 ]` and `input [ {…} ]` become repeated fields.
///
/// # Errors
/// A sentence that says what was found where something else was expected.
pub fn parse(text: &str) -> Result<Message, String> {
    let mut tokens = tokens(text)?;
    tokens.reverse();
    let message = fields(&mut tokens, DEPTH)?;
    match tokens.pop() {
        None => Ok(message),
        Some(token) => Err(format!("`{token}` closes nothing")),
    }
}

/// Messages in messages that are read.
const DEPTH: usize = 16;

/// The fields up to a closing brace, which is left.
fn fields(tokens: &mut Vec<String>, depth: usize) -> Result<Message, String> {
    if depth == 0 {
        return Err("messages are nested too deep".to_owned());
    }
    let mut message = Message::default();
    while let Some(name) = tokens.pop_if(|token| token != "}") {
        if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
            return Err(format!("`{name}` is no name of a field"));
        }
        let colon = tokens.pop_if(|token| token == ":").is_some();
        if tokens.pop_if(|token| token == "[").is_some() {
            let mut first = true;
            while tokens.pop_if(|token| token == "]").is_none() {
                if !first && tokens.pop_if(|token| token == ",").is_none() {
                    return Err(format!("a comma is missing in the list `{name}`"));
                }
                first = false;
                message.fields.push((name.clone(), value(tokens, &name, depth)?));
            }
        } else {
            let field = value(tokens, &name, depth)?;
            if !colon && matches!(field, Field::Scalar(_)) {
                return Err(format!("a colon is missing after `{name}`"));
            }
            message.fields.push((name, field));
        }
        let _ = tokens.pop_if(|token| token == "," || token == ";");
    }
    Ok(message)
}

fn value(tokens: &mut Vec<String>, name: &str, depth: usize) -> Result<Field, String> {
    let ended = || format!("the value of `{name}` is missing");
    let token = tokens.pop().ok_or_else(ended)?;
    match token.as_str() {
        "{" => {
            let message = fields(tokens, depth - 1)?;
            tokens.pop().map(|_| Field::Message(message)).ok_or_else(|| format!("`{name}` is not closed"))
        }
        "}" | "[" | "]" | ":" | "," | ";" => Err(ended()),
        text => {
            let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            Ok(Field::Scalar(inner.unwrap_or(text).to_owned()))
        }
    }
}

fn tokens(text: &str) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '#' => while characters.next_if(|&next| next != '\n').is_some() {},
            '{' | '}' | '[' | ']' | ':' | ',' | ';' => found.push(character.to_string()),
            '"' => {
                found.push(format!("\"{}\"", literal(&mut characters)?));
            }
            space if space.is_whitespace() => {}
            other => {
                let mut token = String::from(other);
                while let Some(next) =
                    characters.next_if(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '.' | '-' | '+'))
                {
                    token.push(next);
                }
                found.push(token);
            }
        }
    }
    Ok(found)
}

/// The text up to the closing quotation mark, its escapes read.
fn literal(characters: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut bytes = Vec::new();
    loop {
        match characters.next() {
            Some('"') => break,
            Some('\\') => escape(characters, &mut bytes)?,
            Some('\n') | None => {
                return Err(format!("the text \"{} does not end", String::from_utf8_lossy(&bytes)));
            }
            Some(other) => bytes.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    String::from_utf8(bytes).map_err(|_| "a text is not UTF-8".to_owned())
}

/// What follows a backslash: a letter of C's, up to three octal digits, or the character itself.
fn escape(characters: &mut Peekable<Chars<'_>>, bytes: &mut Vec<u8>) -> Result<(), String> {
    let octal = |characters: &mut Peekable<Chars<'_>>| characters.next_if(|next| ('0'..='7').contains(next));
    if let Some(first) = octal(characters) {
        let digits: String = [Some(first), octal(characters), octal(characters)].into_iter().flatten().collect();
        bytes.push(u8::from_str_radix(&digits, 8).map_err(|_| format!("\\{digits} is no byte"))?);
        return Ok(());
    }
    match characters.next() {
        Some('n') => bytes.push(b'\n'),
        Some('r') => bytes.push(b'\r'),
        Some('t') => bytes.push(b'\t'),
        Some(other @ ('"' | '\'' | '\\')) => bytes.push(other as u8),
        Some(other) => return Err(format!("\\{other} is no escape that is known here")),
        None => return Err("a text ends in a backslash".to_owned()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_messages_texts_and_comments_are_read() {
        let message = parse(
            "name: \"a \\\"b\\\"\" # a comment {\ninput [ { name: \"x\" dims: [ -1, 3 ] }, { name: \"y\" } ]\nbatching { }\nn: 1.5;",
        )
        .unwrap();
        assert_eq!((message.scalar("name"), message.scalar("n")), (Some("a \"b\""), Some("1.5")));
        let inputs = message.messages("input");
        assert_eq!((inputs.len(), inputs[0].scalars("dims")), (2, vec!["-1", "3"]));
        assert_eq!(message.messages("batching").len(), 1);
    }

    /// What `text_format.MessageToString(…, as_utf8=False)` of Python's protobuf 7.36.2 writes for these names.
    #[test]
    fn a_name_breaks_no_line_and_comes_back() {
        for (name, written) in [
            ("x\nPassed", r#""x\nPassed""#),
            ("a\u{1b}[2J", r#""a\033[2J""#),
            ("ä", r#""\303\244""#),
            ("\r\t\u{7f}\u{85}", r#""\r\t\177\302\205""#),
            (r#"q"\"#, r#""q\"\\""#),
        ] {
            assert_eq!(quoted(name), written);
            assert_eq!(parse(&format!("name: {written}")).unwrap().scalar("name"), Some(name));
        }
    }

    #[test]
    fn what_is_no_message_is_told() {
        for (text, complaint) in [
            ("a {", "`a` is not closed"),
            ("}", "closes nothing"),
            ("a: [ 1 2 ]", "a comma is missing"),
            ("a: [ 1", "missing"),
            ("a 1", "a colon is missing"),
            ("a: \"x", "does not end"),
            (r#"a: "\q""#, "no escape"),
            (r#"a: "\377""#, "not UTF-8"),
            (r#"a: "\777""#, "no byte"),
            ("1: 2", "no name of a field"),
            (&"a {".repeat(99), "too deep"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(complaint), "{text}: {error}");
        }
    }
}
