//! The default model on a prompt long enough that a tier may compute it in another form than single
//! tokens: near the exact logits, the same on every number of threads, the same tokens after it.

use puna_core::{
    cancel::Cancel,
    model::Model,
    session::{Session, SessionOptions},
    tokenizer::{EncodeOptions, TokenId},
};
use puna_kernels::Kernels;
use puna_tests::{
    compare::{argmax, kl_divergence},
    model::default_model,
};

/// Mean nats from the exact distribution that a form other than the definitions' may cost to be the
/// default of its tier.
const OTHER_FORM: f64 = 1e-3;
/// The same of the definitions, 8 bits for activations; here it is a guard against a broken kernel.
const DEFINITIONS: f64 = 1e-2;

fn open(kernels: Kernels) -> Model {
    Model::open(&default_model()).unwrap().with_kernels(kernels)
}

/// The first `n` tokens of a story.
fn story(model: &Model, n: usize) -> Vec<TokenId> {
    let text = include_str!("../data/text/alice-chapter-1.txt");
    let mut tokens = model.tokenizer().encode(
        text,
        EncodeOptions {
            add_special: false,
            parse_special: false,
        },
    );
    tokens.truncate(n);
    assert_eq!(tokens.len(), n);
    tokens
}

fn session(model: &Model, n_threads: usize, n_batch: usize, exact: bool) -> Session {
    let options = SessionOptions {
        n_ctx: Some(512),
        n_threads: Some(n_threads),
        n_batch,
        exact,
        ..SessionOptions::default()
    };
    Session::new(model, &options).unwrap()
}

/// Logits after each token.
fn score(mut session: Session, tokens: &[TokenId]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    let take = |_, row: &[f32]| rows.push(row.to_vec());
    session.score(tokens, 0, &Cancel::new(), take).unwrap();
    rows
}

fn bits(rows: &[Vec<f32>]) -> Vec<u32> {
    rows.iter().flatten().map(|l| l.to_bits()).collect()
}

#[test]
fn logits_of_a_long_prompt_are_near_the_exact_ones() {
    let best = open(Kernels::best());
    let tokens = story(&best, 1200);
    let windows: Vec<_> = [0, 400, 800].map(|at| &tokens[at..at + 200]).into();
    let want: Vec<_> = windows
        .iter()
        .map(|tokens| score(session(&best, 2, 512, true), tokens))
        .collect();
    for kernels in [Kernels::best(), Kernels::best_exact()] {
        let isa = kernels.isa().name();
        let bound = if kernels.is_exact() {
            DEFINITIONS
        } else {
            OTHER_FORM
        };
        let model = open(kernels);
        let (mut sum, mut max) = (0.0, 0.0f64);
        for (tokens, want) in windows.iter().zip(&want) {
            let got = score(session(&model, 2, 512, false), tokens);
            for (want, got) in want.iter().zip(&got) {
                let kl = kl_divergence(want, got);
                (sum, max) = (sum + kl, max.max(kl));
            }
        }
        let mean = sum / 600.0;
        println!(
            "{isa}: KL divergence mean {mean:.2e}, max {max:.2e}, bound of the mean {bound:.0e}"
        );
        assert!(mean <= bound, "{isa}: {mean}");
    }
}

#[test]
fn logits_of_a_long_prompt_are_the_same_bits_at_every_thread_count() {
    let model = open(Kernels::best());
    let tokens = story(&model, 70);
    let want = score(session(&model, 2, 512, false), &tokens);
    for n_threads in [1, 3] {
        let other = score(session(&model, n_threads, 512, false), &tokens);
        assert!(bits(&other) == bits(&want), "{n_threads} threads");
    }
}

#[test]
fn the_tokens_after_a_long_prompt_are_the_same_or_part_at_a_narrow_margin() {
    let best = open(Kernels::best());
    let tokens = story(&best, 150);
    let go = Cancel::new();
    let mut exact = session(&best, 2, 512, true);
    exact.prefill(&tokens, &go).unwrap();
    let exact_model = open(Kernels::best_exact());
    let mut sessions = [
        ("best tier, one batch", session(&best, 2, 512, false)),
        ("best tier, batches of 40", session(&best, 2, 40, false)),
        ("best tier, batches of 16", session(&best, 2, 16, false)),
        ("best exact tier", session(&exact_model, 2, 512, false)),
    ];
    for (_, session) in &mut sessions {
        session.prefill(&tokens, &go).unwrap();
    }
    for i in 0..24 {
        let want = argmax(exact.logits());
        for (name, session) in &mut sessions {
            let got = argmax(session.logits());
            let logit = |token: TokenId| exact.logits()[token.0 as usize];
            let margin = logit(want) - logit(got);
            if got != want {
                println!("{name}: parts at token {i}, margin {margin}");
            }
            assert!(margin < 0.3, "{name}: token {i}, margin {margin}");
            session.decode(want, &go).unwrap();
        }
        exact.decode(want, &go).unwrap();
    }
}
