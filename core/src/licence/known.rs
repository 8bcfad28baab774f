//! Families whose terms ask for acceptance, and how their files are recognised.

use super::Licence;
use crate::{gguf::Gguf, model::Config};

/// A licence that asks for acceptance before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// What it goes by.
    pub id: &'static str,
    /// Its name.
    pub name: &'static str,
    /// The day of the terms.
    pub version: &'static str,
    /// Where they are to be read.
    pub terms: &'static str,
    /// Where the acceptable-use policy is to be read.
    pub use_policy: &'static str,
    /// What one must know before use, in our words.
    pub notice: &'static str,
}

const LLAMA_2: &str = "Meta's terms: free of charge, also for business, below 700 million monthly users; not for \
     improving other language models; whoever passes the model on passes the terms on with a notice of them.";
const LLAMA_3: &str = "Meta's terms: free of charge, also for business, below 700 million monthly users; products \
     show that they are built with Llama, models made from it carry Llama in front of their names, and whoever passes \
     it on passes the terms on with a notice of them.";
const GEMMA: &str = "Google's terms: free of charge, also for business; whoever passes the model on passes the terms \
     and the limits of use on with a notice of them, and marks changed files.";

/// The table.
pub const KNOWN: [Known; 6] = [
    Known {
        id: "llama2",
        name: "Llama 2 Community License",
        version: "2023-07-18",
        terms: "https://ai.meta.com/llama/license/",
        use_policy: "https://ai.meta.com/llama/use-policy/",
        notice: LLAMA_2,
    },
    Known {
        id: "llama3",
        name: "Meta Llama 3 Community License",
        version: "2024-04-18",
        terms: "https://www.llama.com/llama3/license/",
        use_policy: "https://www.llama.com/llama3/use-policy/",
        notice: LLAMA_3,
    },
    Known {
        id: "llama3.1",
        name: "Llama 3.1 Community License",
        version: "2024-07-23",
        terms: "https://www.llama.com/llama3_1/license/",
        use_policy: "https://www.llama.com/llama3_1/use-policy/",
        notice: LLAMA_3,
    },
    Known {
        id: "llama3.2",
        name: "Llama 3.2 Community License",
        version: "2024-09-25",
        terms: "https://www.llama.com/llama3_2/license/",
        use_policy: "https://www.llama.com/llama3_2/use-policy/",
        notice: LLAMA_3,
    },
    Known {
        id: "llama3.3",
        name: "Llama 3.3 Community License",
        version: "2024-12-06",
        terms: "https://www.llama.com/llama3_3/license/",
        use_policy: "https://www.llama.com/llama3_3/use-policy/",
        notice: LLAMA_3,
    },
    Known {
        id: "gemma",
        name: "Gemma Terms of Use",
        version: "2026-04-01",
        terms: "https://ai.google.dev/gemma/terms",
        use_policy: "https://ai.google.dev/gemma/prohibited_use_policy",
        notice: GEMMA,
    },
];

impl Known {
    pub(super) fn licence(&self) -> Licence {
        Licence {
            id: self.id.to_owned(),
            name: self.name.to_owned(),
            terms: Some(self.terms.to_owned()),
            version: Some(self.version),
            use_policy: Some(self.use_policy),
            notice: Some(self.notice),
            asks: true,
        }
    }
}

/// The licence that is written `id` in one of the ways that files have: `llama3.2`, `Llama-3.2`,
/// `llama-3.2-community`, `LLAMA 2 COMMUNITY LICENSE`.
pub(super) fn by_id(id: &str) -> Option<&'static Known> {
    let id = words(id);
    let id: Vec<&str> = id.iter().map(String::as_str).collect();
    let id = match id.as_slice() {
        ["meta", rest @ ..] => rest,
        all => all,
    };
    let end = |word: &&str| {
        ![
            "community",
            "license",
            "licence",
            "agreement",
            "terms",
            "of",
            "use",
        ]
        .contains(word)
    };
    let bare: Vec<&str> = id.iter().copied().filter(end).collect();
    let bare = bare.concat();
    KNOWN.iter().find(|known| known.id.replace('.', "") == bare)
}

/// The family of a file that says no licence: by its name, else, if it has none, by its shape.
pub(super) fn family(gguf: &Gguf) -> Option<&'static Known> {
    let text = |key: &str| gguf.str(key).ok().flatten().unwrap_or_default().to_owned();
    let keys = [
        "general.name",
        "general.basename",
        "general.base_model.0.name",
    ];
    let names = keys.map(text).map(|name| words(&name));
    // Random weights in a known shape, for measuring, are nobody's model.
    if names.iter().flatten().any(|word| word == "random") {
        return None;
    }
    if let Some(id) = names.iter().find_map(|name| named(name)) {
        return KNOWN.iter().find(|known| known.id == id);
    }
    match text("general.architecture").as_str() {
        "gemma" | "gemma2" | "gemma3" | "gemma3n" => by_id("gemma"),
        "llama" if names.iter().all(Vec::is_empty) && llama_2_shape(gguf) => by_id("llama2"),
        _ => None,
    }
}

/// The id of the family that a name begins or contains: `meta-llama_Llama-2-7b-chat-hf`, `LLaMA v2`,
/// `Llama 3.2 1B`, `gemma-2-2b-it`. `TinyLlama` and `OpenLLaMA` are other models, with open licences.
fn named(name: &[String]) -> Option<&'static str> {
    let word = |i: usize| name.get(i).map_or("", String::as_str);
    for i in 0..name.len() {
        let after_open = i > 0 && ["open", "tiny"].contains(&word(i - 1));
        let (number, next) = match word(i) {
            "llama" if !after_open => (word(i + 1), word(i + 2)),
            "llama2" | "llama3" => (&word(i)[5..], word(i + 1)),
            "gemma" if word(i + 1) != "4" => return Some("gemma"),
            "gemma2" | "gemma3" | "gemma3n" | "codegemma" | "medgemma" => return Some("gemma"),
            _ => continue,
        };
        match (number, next) {
            ("2" | "v2", _) => return Some("llama2"),
            ("3", "1") => return Some("llama3.1"),
            ("3", "2") => return Some("llama3.2"),
            ("3", "3") => return Some("llama3.3"),
            ("3", _) => return Some("llama3"),
            _ => {}
        }
    }
    None
}

/// Whether a nameless file has the widths, the vocabulary and the context of Llama 2. LLaMA 1 has the same
/// widths, and half the context.
fn llama_2_shape(gguf: &Gguf) -> bool {
    let Ok(config) = Config::from_gguf(gguf) else {
        return false;
    };
    let shape = (config.n_layer, config.n_embd, config.n_head_kv, config.n_ff);
    let shapes = [
        (32, 4096, 32, 11_008),
        (40, 5120, 40, 13_824),
        (80, 8192, 8, 28_672),
    ];
    shapes.contains(&shape) && config.n_vocab == 32_000 && config.n_ctx_train == 4096
}

/// The words of a name, in lower case: letters and digits.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_in_many_ways() {
        let is = |text, id| assert_eq!(by_id(text).map(|known| known.id), id, "{text}");
        is("llama2", Some("llama2"));
        is("Llama-2", Some("llama2"));
        is("LLAMA 2 COMMUNITY LICENSE AGREEMENT", Some("llama2"));
        is("meta-llama-3-community-license", Some("llama3"));
        is("llama3.1", Some("llama3.1"));
        is("llama-3.2", Some("llama3.2"));
        is("gemma", Some("gemma"));
        is("gemma-terms-of-use", Some("gemma"));
        for open in [
            "apache-2.0",
            "mit",
            "",
            "other",
            "llama",
            "llama20",
            "cc-by-nc-4.0",
        ] {
            is(open, None);
        }
    }

    #[test]
    fn names_tell_the_family() {
        let is = |text, id| assert_eq!(named(&words(text)), id, "{text}");
        is("LLaMA v2", Some("llama2"));
        is("meta-llama_Llama-2-7b-chat-hf", Some("llama2"));
        is("Llama2 13B", Some("llama2"));
        is("Meta-Llama-3-8B-Instruct", Some("llama3"));
        is("Meta Llama 3.1 8B", Some("llama3.1"));
        is("Llama 3.2 1B Instruct", Some("llama3.2"));
        is("Llama-3.3-70B", Some("llama3.3"));
        is("gemma-2-2b-it", Some("gemma"));
        is("Gemma 3n", Some("gemma"));
        for open in [
            "TinyLlama 1.1B Chat v1.0",
            "open_llama_3b_v2",
            "Open Llama 3B",
            "OpenLLaMA 7B",
            "Llama-3B",
            "llama",
            "Mistral 7B v0.2",
            "SmolLM2 135M Instruct",
            "gemma-4-2b",
            "tiny",
            "",
        ] {
            is(open, None);
        }
    }
}
