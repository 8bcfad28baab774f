//! The regular expressions of pre-tokenizers, as functions that cut a text and hand on the pieces.

use unicode_general_category::{GeneralCategory, get_general_category};

/// What the expressions tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s`
    Space,
    /// Everything else.
    Other,
}

fn class_of(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        _ if c.is_whitespace() => Class::Space,
        _ if c.is_ascii() => Class::Other,
        _ if letter(c) => Class::Letter,
        _ if number(c) => Class::Number,
        _ => Class::Other,
    }
}

/// `\p{L}`
pub(super) fn letter(c: char) -> bool {
    use GeneralCategory as Category;
    matches!(
        get_general_category(c),
        Category::UppercaseLetter
            | Category::LowercaseLetter
            | Category::TitlecaseLetter
            | Category::ModifierLetter
            | Category::OtherLetter
    )
}

/// `\p{N}`
pub(super) fn number(c: char) -> bool {
    use GeneralCategory as Category;
    matches!(
        get_general_category(c),
        Category::DecimalNumber | Category::LetterNumber | Category::OtherNumber
    )
}

/// `\p{P}`
pub(super) fn punctuation(c: char) -> bool {
    use GeneralCategory as Category;
    matches!(
        get_general_category(c),
        Category::ConnectorPunctuation
            | Category::DashPunctuation
            | Category::OpenPunctuation
            | Category::ClosePunctuation
            | Category::InitialPunctuation
            | Category::FinalPunctuation
            | Category::OtherPunctuation
    )
}

/// `[$+<=>^~|]`
pub(super) fn symbol(c: char) -> bool {
    matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '~' | '|')
}

/// `[0-9]`
pub(super) fn digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// `[\r\n]`
pub(super) fn line_break(c: char) -> bool {
    matches!(c, '\r' | '\n')
}

/// Cuts at the longest prefixes, one after the other: the shape of an expression whose
/// alternatives cover every text.
fn cut(text: &str, each: &mut dyn FnMut(&str), prefix: impl Fn(&str) -> usize) {
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(prefix(rest));
        each(piece);
        rest = after;
    }
}

/// Bytes of the run of characters at the start that are `wanted`.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

/// Bytes of the run of one class at the start.
fn run_of(text: &str, class: Class) -> usize {
    run(text, |c| class_of(c) == class)
}

/// `'s|'t|'re|'ve|'m|'ll|'d`: its bytes, 0 for none.
fn contraction(text: &str) -> usize {
    match text.as_bytes() {
        [b'\'', b's' | b't' | b'm' | b'd', ..] => 2,
        [b'\'', b'r' | b'v', b'e', ..] | [b'\'', b'l', b'l', ..] => 3,
        _ => 0,
    }
}

/// The same in upper or lower case.
fn contraction_in_any_case(text: &str) -> usize {
    let start: String = text
        .chars()
        .take(3)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    contraction(&start)
}

/// `\s+(?!\S)|\s+`: white space up to the last one before a word, whole at the end. `text` starts
/// with white space.
fn white_space(text: &str) -> usize {
    let len = run_of(text, Class::Space);
    let last = text[..len].chars().next_back().map_or(0, char::len_utf8);
    if len < text.len() && last < len {
        len - last
    } else {
        len
    }
}

/// GPT-2's expression: contractions, and words, numbers or signs with a space before them.
pub(super) fn gpt2(text: &str, each: &mut dyn FnMut(&str)) {
    cut(text, each, |rest| {
        let contraction = contraction(rest);
        if contraction > 0 {
            return contraction;
        }
        let word = rest.strip_prefix(' ').unwrap_or(rest);
        match word.chars().next().map(class_of) {
            Some(class) if class != Class::Space => rest.len() - word.len() + run_of(word, class),
            _ => white_space(rest),
        }
    });
}

/// Llama 3's expression: words with any sign before them, numbers in groups of at most `digits`,
/// signs with the line breaks after them, white space up to the last line break.
pub(super) fn llama3(text: &str, digits: usize, each: &mut dyn FnMut(&str)) {
    cut(text, each, |rest| {
        let Some(first) = rest.chars().next() else {
            return 0;
        };
        if first == '\'' {
            let contraction = contraction_in_any_case(rest);
            if contraction > 0 {
                return contraction;
            }
        }
        let class = class_of(first);
        if class == Class::Number {
            let group = rest.chars().take(digits);
            return group
                .take_while(|&c| class_of(c) == class)
                .map(char::len_utf8)
                .sum();
        }
        // [^\r\n\p{L}\p{N}]?\p{L}+
        let before = if class == Class::Letter {
            0
        } else {
            first.len_utf8()
        };
        let letters = run_of(&rest[before..], Class::Letter);
        if letters > 0 && !line_break(first) {
            return before + letters;
        }
        // ` ?[^\s\p{L}\p{N}]+[\r\n]*`
        let word = rest.strip_prefix(' ').unwrap_or(rest);
        let signs = run_of(word, Class::Other);
        if signs > 0 {
            let end = rest.len() - word.len() + signs;
            return end + run(&rest[end..], line_break);
        }
        // \s*[\r\n]+|\s+(?!\S)|\s+
        let space = &rest[..run_of(rest, Class::Space)];
        match space.rfind(line_break) {
            Some(last) => last + 1,
            None => white_space(rest),
        }
    });
}

/// `\s+$`: white space at the end becomes a piece.
pub(super) fn trailing_space(text: &str, each: &mut dyn FnMut(&str)) {
    let (body, space) = text.split_at(text.trim_end().len());
    for piece in [body, space] {
        if !piece.is_empty() {
            each(piece);
        }
    }
}

/// How much of a run of characters is one piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Take {
    /// Each character.
    One,
    /// Every three; what is left over is none.
    Three,
    /// All.
    All,
}

/// Runs of wanted characters. None of them may be white space.
#[derive(Clone, Copy)]
pub(super) struct Run {
    wanted: fn(char) -> bool,
    take: Take,
    after_space: bool,
}

impl Run {
    /// `c`
    pub(super) const fn each(wanted: fn(char) -> bool) -> Self {
        Self {
            wanted,
            take: Take::One,
            after_space: false,
        }
    }

    /// `ccc`
    pub(super) const fn three(wanted: fn(char) -> bool) -> Self {
        Self {
            take: Take::Three,
            ..Self::each(wanted)
        }
    }

    /// `c+`
    pub(super) const fn many(wanted: fn(char) -> bool) -> Self {
        Self {
            take: Take::All,
            ..Self::each(wanted)
        }
    }

    /// `\s?c+`
    pub(super) const fn after_space(self) -> Self {
        Self {
            after_space: true,
            ..self
        }
    }

    /// Makes each match a piece, and what is between matches too.
    pub(super) fn isolate(&self, text: &str, each: &mut dyn FnMut(&str)) {
        // What is before `done` has been handed on; what is before `seen` matches no more.
        let (mut done, mut seen) = (0, 0);
        while let Some(gap) = text[seen..].find(self.wanted) {
            let at = seen + gap;
            let Some(len) = self.match_len(&text[at..]) else {
                seen = at + run(&text[at..], self.wanted);
                continue;
            };
            let space = text[done..at].chars().next_back();
            let space = space.filter(|c| self.after_space && c.is_whitespace());
            let start = at - space.map_or(0, char::len_utf8);
            if done < start {
                each(&text[done..start]);
            }
            each(&text[start..at + len]);
            done = at + len;
            seen = done;
        }
        if done < text.len() {
            each(&text[done..]);
        }
    }

    /// Bytes of the match at the start of `text`, which starts with a wanted character.
    fn match_len(&self, text: &str) -> Option<usize> {
        match self.take {
            Take::One => text.chars().next().map(char::len_utf8),
            Take::All => Some(run(text, self.wanted)),
            Take::Three => {
                let mut three = text.chars().take(3).take_while(|&c| (self.wanted)(c));
                Some(
                    [three.next()?, three.next()?, three.next()?]
                        .map(char::len_utf8)
                        .iter()
                        .sum(),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str, scan: impl Fn(&str, &mut dyn FnMut(&str))) -> Vec<String> {
        let mut pieces = Vec::new();
        scan(text, &mut |piece: &str| pieces.push(piece.to_owned()));
        assert_eq!(pieces.concat(), text);
        pieces
    }

    #[test]
    fn gpt2_words_take_one_space() {
        let text = "I'll  don't 'S x1\t\n y\u{a0}\u{a0}z!? ";
        assert_eq!(
            pieces(text, gpt2),
            [
                "I", "'ll", " ", " don", "'t", " '", "S", " x", "1", "\t\n", " y", "\u{a0}",
                "\u{a0}", "z", "!?", " "
            ]
        );
    }

    #[test]
    fn llama3_groups_digits_and_ends_at_line_breaks() {
        let text = "I'LL pay $12345.\r\n \n  (now)\n";
        let scan = |text: &str, each: &mut dyn FnMut(&str)| llama3(text, 3, each);
        assert_eq!(
            pieces(text, scan),
            [
                "I", "'LL", " pay", " $", "123", "45", ".\r\n", " \n", " ", " (", "now", ")\n"
            ]
        );
    }

    #[test]
    fn runs_become_pieces() {
        let three = |text: &str, each: &mut dyn FnMut(&str)| Run::three(digit).isolate(text, each);
        assert_eq!(
            pieces("12a1234b123456", three),
            ["12a", "123", "4b", "123", "456"]
        );
        let words = Run::many(letter).after_space();
        let words = |text: &str, each: &mut dyn FnMut(&str)| words.isolate(text, each);
        assert_eq!(
            pieces("a  bé, c ", words),
            ["a", " ", " bé", ",", " c", " "]
        );
        assert_eq!(pieces("a \n ", trailing_space), ["a", " \n "]);
    }
}
