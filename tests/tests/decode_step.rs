//! What one decode step costs besides arithmetic: no allocation but the cache's next page, and at most five barriers
//! a layer.

use puna_core::{
    cancel::Cancel,
    kv_cache::PAGE,
    model::Model,
    session::{Session, SessionOptions},
    tokenizer::TokenId,
};
use puna_kernels::WeightType;
use puna_tests::{
    model::default_model,
    tiny::{Shape, Tiny},
};

#[global_allocator]
static ALLOC: dhat::Alloc = dhat::Alloc;

/// Blocks allocated so far, by any thread.
fn blocks() -> u64 {
    dhat::HeapStats::get().total_blocks
}

/// What a decode step cost.
struct Step {
    /// The token's position.
    pos: usize,
    /// Blocks that it allocated.
    blocks: u64,
    /// Barriers.
    loops: u64,
}

/// `steps` tokens on `n_threads` threads after a prompt of `n_prompt`.
fn decode(model: &Model, n_threads: usize, n_prompt: usize, steps: usize) -> Vec<Step> {
    let options = SessionOptions {
        n_threads: Some(n_threads),
        ..SessionOptions::default()
    };
    let mut session = Session::new(model, &options).unwrap();
    let (cancel, n_vocab) = (Cancel::new(), model.config().n_vocab);
    let token = |i: usize| TokenId((i % n_vocab) as u32);
    let prompt: Vec<_> = (0..n_prompt).map(token).collect();
    session.prefill(&prompt, &cancel).unwrap();
    let mut made = Vec::with_capacity(steps);
    for i in 0..steps {
        let (first, before) = (session.n_loops(), blocks());
        session.decode(token(i), &cancel).unwrap();
        made.push(Step {
            pos: n_prompt + i,
            blocks: blocks() - before,
            loops: session.n_loops() - first,
        });
    }
    made
}

/// Decodes on one thread and on more.
fn check(model: &Model, n_prompt: usize) {
    let most = 5 * model.config().n_layer as u64 + 1;
    for n_threads in 1..=3 {
        for step in decode(model, n_threads, n_prompt, 12) {
            let Step { pos, blocks, loops } = step;
            // Who holds a page is a block; its bytes come from the system itself. It is taken when its first position
            // is written, so that a conversation holds no more memory than it has come to need.
            let want = u64::from(pos.is_multiple_of(PAGE));
            assert_eq!(blocks, want, "blocks at {pos} on {n_threads} threads");
            assert!(loops <= most, "{loops} loops at {pos}, at most {most}");
        }
    }
}

/// One test, since the allocations of all threads of a process are counted.
#[test]
fn a_decode_step_allocates_nothing_and_waits_at_most_five_times_a_layer() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let before = blocks();
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(blocks() - before, 1, "the counter counts");

    for ty in [
        WeightType::Q4_0,
        WeightType::Q4_1,
        WeightType::Q4_K,
        WeightType::F16,
    ] {
        check(&Tiny::new(Shape::of(ty)).model(), 5);
    }
    // From one page of the cache into the next.
    check(&Model::open(&default_model()).unwrap(), 250);
}
