//! Sizes that are written as arithmetic over axes: `2*batch`, `(sequence + 1)//2`.

use super::inputs::Sizes;

/// No exporter writes a longer one, in bytes. It bounds how deep the parser goes.
const LONGEST: usize = 256;

/// What an expression comes to at these sizes of the axes that it names; `None` if it is none over them, or comes to no size.
pub fn evaluate(text: &str, sizes: &Sizes) -> Option<usize> {
    if text.len() > LONGEST {
        return None;
    }
    let mut parser = Parser { rest: text.trim(), sizes };
    let value = parser.sum()?;
    parser.rest.is_empty().then(|| usize::try_from(value).ok())?
}

/// Whether it is arithmetic over these axes, and not a name alone.
pub fn is_derived(text: &str, axes: &[&str]) -> bool {
    let sizes: Sizes = axes.iter().filter(|axis| **axis != text).map(|axis| ((*axis).to_owned(), 64)).collect();
    let operators = |letter: char| "+-*/(".contains(letter);
    text.contains(operators)
        && evaluate(text, &sizes).is_some()
        && axes.iter().any(|axis| names(text).any(|name| name == *axis))
}

/// The names in an expression.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !is_of_a_name(letter))
        .filter(|word| word.starts_with(|letter: char| !letter.is_ascii_digit()))
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_alphanumeric() || "_.".contains(letter)
}

struct Parser<'a> {
    rest: &'a str,
    sizes: &'a Sizes,
}

impl<'a> Parser<'a> {
    /// Takes what the text goes on with, and the spaces behind it.
    fn take(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.map_or(self.rest, str::trim_start);
        rest.is_some()
    }

    fn sum(&mut self) -> Option<i64> {
        let mut value = self.product()?;
        loop {
            value = match () {
                () if self.take("+") => value.checked_add(self.product()?)?,
                () if self.take("-") => value.checked_sub(self.product()?)?,
                () => return Some(value),
            };
        }
    }

    fn product(&mut self) -> Option<i64> {
        let mut value = self.factor()?;
        loop {
            value = match () {
                () if self.take("*") => value.checked_mul(self.factor()?)?,
                // Sizes are whole, however the exporter writes the division.
                () if self.take("//") || self.take("/") => value.checked_div_euclid(self.factor()?)?,
                () => return Some(value),
            };
        }
    }

    fn factor(&mut self) -> Option<i64> {
        if self.take("-") {
            return self.factor()?.checked_neg();
        }
        if self.take("(") {
            let value = self.sum()?;
            return self.take(")").then_some(value);
        }
        let word = self.word()?;
        match word.parse() {
            Ok(number) => Some(number),
            Err(_) => i64::try_from(*self.sizes.get(word)?).ok(),
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        let end = self.rest.find(|letter: char| !is_of_a_name(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        (!word.is_empty()).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, at batch 3 and sequence 7.
    #[test]
    fn arithmetic_over_axes_comes_to_a_size() {
        let sizes: Sizes = [("batch".to_owned(), 3), ("sequence".to_owned(), 7)].into();
        for (text, size) in [
            ("2*batch", Some(6)),
            ("batch * sequence + 1", Some(22)),
            ("(sequence - 1)//2 + 1", Some(4)),
            ("sequence/2", Some(3)),
            ("batch", Some(3)),
            ("batch - sequence", None),
            ("2*heads", None),
            ("2*batch)", None),
            ("batch/0", None),
            ("", None),
        ] {
            assert_eq!(evaluate(text, &sizes), size, "{text}");
        }
        // No depth of nesting is followed that an exporter would not write.
        assert_eq!(evaluate(&("(".repeat(200) + "batch" + &")".repeat(50)), &sizes), None);
        for deep in ["(", "-"] {
            assert_eq!(evaluate(&(deep.repeat(1 << 20) + "batch"), &sizes), None);
        }
    }

    #[test]
    fn a_name_that_only_looks_like_arithmetic_is_a_name() {
        let axes = ["batch", "sequence", "past-length", "2*heads"];
        assert!(is_derived("2*batch", &axes) && is_derived("batch+sequence", &axes));
        assert!(!is_derived("batch", &axes) && !is_derived("past-length", &axes) && !is_derived("2*heads", &axes));
    }
}
