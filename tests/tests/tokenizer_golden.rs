//! Ids of real vocabularies, equal to those of other programs.

use puna_core::tokenizer::EncodeOptions;
use puna_tests::vocab;

const PLAIN: EncodeOptions = EncodeOptions {
    add_special: false,
    parse_special: false,
};

/// The texts that llama.cpp keeps with its vocabularies; ids are Hugging Face's.
#[test]
fn ids_of_plain_text() {
    let mut checked = 0;
    for name in vocab::NAMES.into_iter().filter(|&name| name != "gpt-neox") {
        let tokenizer = vocab::tokenizer(name);
        for (text, ids) in vocab::cases(name, "plain") {
            assert_eq!(tokenizer.encode(&text, PLAIN), ids, "{name}: {text:?}");
            checked += 1;
        }
    }
    assert_eq!(checked, 11 * 46);
}
