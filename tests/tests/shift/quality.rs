//! What a shift costs the default model, beside computing the tokens that stay from scratch.

use puna_core::{
    cancel::Cancel,
    kv_cache::KvType,
    model::Model,
    session::{Session, SessionOptions},
    tokenizer::{EncodeOptions, TokenId},
};
use puna_tests::{
    compare::{kl_divergence, log_softmax},
    model::default_model,
};

/// Tokens of the context, of which the first stay and some of the others are dropped.
const N_CTX: usize = 512;
const KEEP: usize = 4;
const DROP: usize = 128;
/// Where the texts begin in the story.
const STARTS: [usize; 4] = [0, 700, 1400, 2100];

fn session(model: &Model, kv: KvType, n_ctx: usize) -> Session {
    let options = SessionOptions {
        n_ctx: Some(n_ctx),
        kv,
        n_threads: Some(2),
        ..SessionOptions::default()
    };
    Session::new(model, &options).unwrap()
}

/// Logits after each of `tokens`.
fn go_on(mut session: Session, tokens: &[TokenId]) -> Vec<Vec<f32>> {
    let mut rows = Vec::new();
    let take = |_, row: &[f32]| rows.push(row.to_vec());
    session.score(tokens, 0, &Cancel::new(), take).unwrap();
    rows
}

/// Nats by which `rows` are surprised by the tokens that follow.
fn surprise(rows: &[Vec<f32>], tokens: &[TokenId]) -> f64 {
    let pairs = rows.iter().zip(&tokens[1..]);
    pairs
        .map(|(row, next)| -log_softmax(row)[next.0 as usize])
        .sum()
}

#[test]
fn a_shift_costs_little_beside_computing_what_stays() {
    let model = Model::open(&default_model()).unwrap();
    let text = include_str!("../../data/text/alice-chapter-1.txt");
    let plain = EncodeOptions {
        add_special: false,
        parse_special: false,
    };
    let story = model.tokenizer().encode(text, plain);
    let cancel = Cancel::new();
    for (kv, most_ratio, most_kl) in [
        (KvType::F16, 1.02, 0.03),
        (KvType::Q8_0, 1.025, 0.033),
        // What moves is rounded to 4 bits once more.
        (KvType::Q4_0, 1.05, 0.16),
    ] {
        let (mut shifted, mut computed, mut whole) = (0.0, 0.0, 0.0);
        let (mut kl, mut n) = (0.0, 0);
        for start in STARTS {
            let (before, after) = story[start..start + N_CTX + DROP].split_at(N_CTX);
            let kept = [&before[..KEEP], &before[KEEP + DROP..]].concat();
            let mut moved = session(&model, kv, N_CTX);
            moved.prefill(before, &cancel).unwrap();
            let mut all = session(&model, kv, N_CTX + DROP);
            all.prefill(before, &cancel).unwrap();
            moved.shift(KEEP, DROP).unwrap();
            assert_eq!(moved.tokens(), kept);
            let mut afresh = session(&model, kv, N_CTX);
            afresh.prefill(&kept, &cancel).unwrap();

            let (moved, afresh) = (go_on(moved, after), go_on(afresh, after));
            shifted += surprise(&moved, after);
            computed += surprise(&afresh, after);
            whole += surprise(&go_on(all, after), after);
            let pairs = afresh.iter().zip(&moved);
            kl += pairs
                .map(|(want, had)| kl_divergence(want, had))
                .sum::<f64>();
            n += after.len();
        }
        let scored = (n - STARTS.len()) as f64;
        let perplexity = |nats: f64| (nats / scored).exp();
        let ratio = perplexity(shifted) / perplexity(computed);
        let kl = kl / n as f64;
        println!(
            "{}: perplexity {:.3} after a shift, {:.3} computed afresh, {:.3} with nothing dropped; \
             ratio {ratio:.4}, KL {kl:.4}",
            kv.name(),
            perplexity(shifted),
            perplexity(computed),
            perplexity(whole),
        );
        assert!(ratio <= most_ratio, "{}: {ratio}", kv.name());
        assert!(kl <= most_kl, "{}: {kl}", kv.name());
    }
}
