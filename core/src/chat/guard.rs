//! Keeps what a message says from becoming what the template says.
//!
//! A turn begins and ends with special tokens (`<|im_end|>`) or, in older formats, with plain text that the
//! model was trained to obey (`[/INST]`). Both are written into the same string as the messages, so a
//! message that spells one would forge it. Therefore, before the template runs, every bracket of a message
//! is *covered*: replaced by a private-use character that occurs nowhere else. More exactly, every
//! character that begins or ends the name of a special token. Whatever the template then cuts, trims or
//! joins, no name can begin or end in a message, nor reach across its border. Afterwards the rendered text
//! is searched for special tokens, the rest is uncovered, and encoded as plain text.
//!
//! Covering keeps white space and letters, so `content | trim` and the like work as always.

use std::collections::BTreeSet;

use super::{ChatError, Message, Role};

/// Brackets are covered whatever the vocabulary holds: plain turn markers are made of them.
const BRACKETS: [char; 4] = ['<', '>', '[', ']'];
/// Templates look for these in earlier answers, to leave the reasoning out; they end no turn.
const REASONING: [&str; 2] = ["<think>", "</think>"];
/// Characters that covers are taken from: the private-use planes.
const COVERS: [std::ops::RangeInclusive<char>; 2] =
    ['\u{F0000}'..='\u{FFFFD}', '\u{100000}'..='\u{10FFFD}'];

/// What must not be forged.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    /// Names of special tokens, but for white space, and markers of the template.
    names: Vec<String>,
    /// Length of the longest, in bytes.
    longest: usize,
    /// Characters to cover.
    edges: BTreeSet<char>,
}

impl Guard {
    /// A guard of the special tokens and markers called `names`.
    pub(super) fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names: Vec<String> = names
            .into_iter()
            .filter(|name| !name.chars().all(|c| c.is_whitespace() || c == '▁'))
            .map(str::to_owned)
            .collect();
        let ends = names
            .iter()
            .flat_map(|name| [name.chars().next(), name.chars().next_back()])
            .flatten()
            .filter(|c| !c.is_alphanumeric() && !c.is_whitespace());
        Self {
            longest: names.iter().map(String::len).max().unwrap_or(0),
            edges: ends.chain(BRACKETS).collect(),
            names,
        }
    }

    /// Covers for one rendering: characters that neither `messages` nor `source` use.
    ///
    /// # Errors
    /// [`ChatError::NoFreeCharacter`].
    pub(super) fn covers(&self, messages: &[Message], source: &str) -> Result<Covers, ChatError> {
        let used: BTreeSet<char> = messages
            .iter()
            .map(|message| message.content.as_str())
            .chain([source])
            .flat_map(str::chars)
            .filter(|c| COVERS.iter().any(|range| range.contains(c)))
            .collect();
        let mut free = COVERS.into_iter().flatten().filter(|c| !used.contains(c));
        let seam = free.next().ok_or(ChatError::NoFreeCharacter)?;
        let pairs: Vec<(char, char)> = self.edges.iter().copied().zip(free).collect();
        match pairs.len() == self.edges.len() {
            true => Ok(Covers { pairs, seam }),
            false => Err(ChatError::NoFreeCharacter),
        }
    }

    /// The content of `message` as the template may see it.
    pub(super) fn cover(&self, message: &Message, covers: &Covers) -> String {
        let content = message.content.as_str();
        let mut out = String::with_capacity(content.len() + 16);
        let mut rest = content;
        while let Some(c) = rest.chars().next() {
            let kept = match message.role {
                Role::Assistant => REASONING.into_iter().find(|tag| rest.starts_with(tag)),
                _ => None,
            };
            if let Some(tag) = kept {
                out.push_str(tag);
                rest = &rest[tag.len()..];
                continue;
            }
            out.push(covers.of(c));
            rest = &rest[c.len_utf8()..];
        }
        // Names of letters only cannot be covered; a seam breaks them.
        for name in &self.names {
            let mut chars = name.chars();
            let ends = [chars.next(), name.chars().next_back()];
            if ends.iter().flatten().any(|c| self.edges.contains(c)) {
                continue;
            }
            if let Some(first) = ends[0]
                && out.contains(name.as_str())
            {
                out = out.replace(name, &format!("{first}{}{}", covers.seam, chars.as_str()));
            }
        }
        // The middle of a name, should a template write the rest of it around.
        let core = out.trim();
        let inside = |name: &String| name.len() > core.len() && name.contains(core);
        if !core.is_empty() && core.len() < self.longest && self.names.iter().any(inside) {
            let seam = covers.seam;
            out = out.replacen(core, &format!("{seam}{core}{seam}"), 1);
        }
        out
    }
}

/// The characters that stand for others in one rendering.
#[derive(Clone, Debug)]
pub(super) struct Covers {
    /// A character and what covers it.
    pairs: Vec<(char, char)>,
    /// Stands between two characters that must not meet, and for nothing itself.
    seam: char,
}

impl Covers {
    fn of(&self, c: char) -> char {
        let pair = self.pairs.iter().find(|&&(plain, _)| plain == c);
        pair.map_or(c, |&(_, cover)| cover)
    }

    /// What `c` stands for, `None` for the seam; and whether it covers something.
    fn under(&self, c: char) -> (Option<char>, bool) {
        if c == self.seam {
            return (None, true);
        }
        let pair = self.pairs.iter().find(|&&(_, cover)| cover == c);
        pair.map_or((Some(c), false), |&(plain, _)| (Some(plain), true))
    }

    /// `text` as it is to be read.
    pub(super) fn uncover(&self, text: &str) -> String {
        text.chars().filter_map(|c| self.under(c).0).collect()
    }

    /// The byte of the covered `text` at which its uncovered form has `length` bytes.
    pub(super) fn position(&self, text: &str, length: usize) -> Option<usize> {
        let mut uncovered = 0;
        for (at, c) in text.char_indices() {
            let plain = self.under(c).0;
            if uncovered == length && plain.is_some() {
                return Some(at);
            }
            uncovered += plain.map_or(0, char::len_utf8);
        }
        (uncovered == length).then_some(text.len())
    }

    /// The covered `text`, with a space put into every marker that a message spells: `[ /INST]`.
    pub(super) fn neutralize(&self, text: &str, markers: &BTreeSet<&str>) -> String {
        let mut plain = String::with_capacity(text.len());
        // For each byte of `plain`: where its character ends in `text`, whether it was covered, and
        // whether a seam was before it.
        let mut origin = Vec::with_capacity(text.len());
        let mut seam = false;
        for (at, c) in text.char_indices() {
            let (under, covered) = self.under(c);
            let Some(under) = under else {
                seam = true;
                continue;
            };
            plain.push(under);
            let end = at + c.len_utf8();
            origin.resize(plain.len(), (end, covered, seam));
            seam = false;
        }
        let mut out = String::with_capacity(text.len() + 8);
        let mut done = 0;
        for (at, _) in plain.match_indices(['<', '[']) {
            let forged = markers.iter().any(|marker| {
                plain[at..].starts_with(marker)
                    && (origin[at..at + marker.len()].iter().any(|part| part.1)
                        || origin[at + 1..at + marker.len()].iter().any(|part| part.2))
            });
            if forged {
                let end = origin[at].0;
                out.push_str(&text[done..end]);
                out.push(' ');
                done = end;
            }
        }
        out.push_str(&text[done..]);
        out
    }
}

/// Parts of `text` that look like turn markers: `[X]`, `[/X]`, `<x>`, `<|x|>`, `<<X>>`, without white space.
pub(super) fn tags(text: &str) -> impl Iterator<Item = &str> {
    const LONGEST: usize = 64;
    let mut inside = 0;
    text.match_indices(['<', '['])
        .filter_map(move |(at, bracket)| {
            if at < inside {
                return None;
            }
            let tag = |open: &str, close: &str| {
                let rest = text[at..].strip_prefix(open)?;
                let body = &rest[..rest.find(close)?];
                let letters = body.chars().any(char::is_alphabetic);
                let plain = |c: char| !c.is_whitespace() && !BRACKETS.contains(&c);
                (letters && body.chars().all(plain) && body.len() <= LONGEST)
                    .then(|| &text[at..at + open.len() + body.len() + close.len()])
            };
            let double = tag("<<", ">>");
            inside = at + double.map_or(0, str::len);
            double.or_else(|| match bracket {
                "<" => tag("<", ">"),
                _ => tag("[", "]"),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found() {
        let text = "[INST] <<SYS>>\n<|im_start|><s></s> a[0] if 1 < 2 > 1 [a b] [[X]] <用户> <";
        let found: Vec<&str> = tags(text).collect();
        assert_eq!(
            found,
            [
                "[INST]",
                "<<SYS>>",
                "<|im_start|>",
                "<s>",
                "</s>",
                "[X]",
                "<用户>"
            ]
        );
    }

    #[test]
    fn covers_avoid_what_the_messages_use() {
        let guard = Guard::new(["</s>", "sop"]);
        let message = Message::user("\u{F0000}</s> sop \u{F0002}");
        let covers = guard
            .covers(std::slice::from_ref(&message), "")
            .expect("free characters");
        let covered = guard.cover(&message, &covers);
        assert!(!covered.contains(['<', '>']), "{covered:?}");
        assert!(!covered.contains("sop"), "{covered:?}");
        assert_eq!(covers.uncover(&covered), message.content);
        for length in [0, 4, 5, 9, message.content.len()] {
            let at = covers.position(&covered, length).expect("a boundary");
            assert_eq!(covers.uncover(&covered[..at]), message.content[..length]);
        }
    }

    #[test]
    fn the_middle_of_a_name_does_not_join_its_ends() {
        let guard = Guard::new(["<|im_end|>"]);
        let message = Message::user(" im_end\n");
        let covers = guard.covers(&[], "").expect("free characters");
        let covered = guard.cover(&message, &covers);
        assert!(!format!("<|{}|>", covered.trim()).contains("<|im_end|>"));
        assert_eq!(covers.uncover(&covered), " im_end\n");
    }
}
