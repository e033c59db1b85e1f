//! Entities out of the labels of tokens.

use models::encoder::{EncoderTokenizer, Tokens};
use serde::{Deserialize, Serialize};

/// The label of what is no entity.
const OUTSIDE: &str = "O";

/// A part of a text with a name of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entity {
    /// What it is: `PER`.
    pub entity: String,
    /// How likely that is, from 0 to 1: the mean of its tokens.
    pub score: f32,
    /// Its tokens as a text.
    pub word: String,
    /// The first character.
    pub start: usize,
    /// The character behind the last.
    pub end: usize,
}

/// A tag in two parts: whether it begins anew, and what it is. A label without `B-` or `I-` continues, as in `transformers`.
pub fn tag(label: &str) -> (bool, &str) {
    match (label.strip_prefix("B-"), label.strip_prefix("I-")) {
        (Some(rest), _) => (true, rest),
        (None, Some(rest)) => (false, rest),
        (None, None) => (false, label),
    }
}

/// Tokens of the same kind behind each other, as the strategy `simple` of `transformers` joins them. `scores` are the shares of the
/// labels for each token.
pub fn entities(tokens: &Tokens, scores: &[Vec<f32>], labels: &[String], tokenizer: &EncoderTokenizer) -> Vec<Entity> {
    let mut groups: Vec<(&str, Vec<(usize, f32)>)> = Vec::new();
    for (place, scores) in scores.iter().enumerate() {
        if tokens.special.get(place).copied().unwrap_or(true) {
            continue;
        }
        // Of equals the first, as NumPy's argmax.
        let best = scores.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
        let Some((label, score)) = best.and_then(|(index, score)| Some((labels.get(index)?, *score))) else { continue };
        let (begins, kind) = tag(label);
        match groups.last_mut() {
            Some((last, members)) if *last == kind && !begins => members.push((place, score)),
            _ => groups.push((kind, vec![(place, score)])),
        }
    }
    let entity = |(kind, members): (&str, Vec<(usize, f32)>)| {
        let places = || members.iter().map(|(place, _)| *place);
        let ids: Vec<i64> = places().filter_map(|place| tokens.ids.get(place).copied()).collect();
        let offset = |place: Option<usize>| place.and_then(|place| tokens.offsets.get(place)).copied();
        Some(Entity {
            entity: kind.to_owned(),
            score: members.iter().map(|(_, score)| score).sum::<f32>() / members.len() as f32,
            word: tokenizer.decode(&ids, false).ok()?,
            start: offset(places().next())?.0,
            end: offset(places().next_back())?.1,
        })
    };
    groups.into_iter().filter(|(kind, _)| *kind != OUTSIDE).filter_map(entity).collect()
}

/// Where entities begin and end among tags, with their kinds, by the rule of CoNLL-2003's script: `I-` begins one too where another
/// kind or none stands before it.
pub fn spans(tags: &[String]) -> Vec<(String, usize, usize)> {
    let mut found: Vec<(String, usize, usize)> = Vec::new();
    let mut open = false;
    for (place, label) in tags.iter().enumerate() {
        let (begins, kind) = tag(label);
        if kind == OUTSIDE {
            open = false;
            continue;
        }
        match found.last_mut().filter(|(last, _, _)| open && !begins && last == kind) {
            Some((_, _, end)) => *end = place + 1,
            None => found.push((kind.to_owned(), place, place + 1)),
        }
        open = true;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::spans;

    #[test]
    fn entities_are_those_of_conll() {
        let tags = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let found = |text| spans(&tags(text));
        assert_eq!(found("B-PER I-PER O I-LOC"), [("PER".to_owned(), 0, 2), ("LOC".to_owned(), 3, 4)]);
        assert_eq!(found("B-PER B-PER"), [("PER".to_owned(), 0, 1), ("PER".to_owned(), 1, 2)]);
        assert_eq!(found("I-PER I-LOC"), [("PER".to_owned(), 0, 1), ("LOC".to_owned(), 1, 2)]);
        assert_eq!(found("O O"), []);
    }
}
