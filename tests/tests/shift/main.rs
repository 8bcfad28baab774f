//! A full context: tokens are dropped, and those behind them move where they lie.

mod keys;
mod quality;
mod window;

use puna_core::{
    kv_cache::KvType,
    model::Model,
    session::{Session, SessionOptions},
};

fn session(model: &Model, kv: KvType, n_ctx: usize, n_threads: usize) -> Session {
    let options = SessionOptions {
        n_ctx: Some(n_ctx),
        kv,
        n_threads: Some(n_threads),
        exact: kv == KvType::F32,
        ..SessionOptions::default()
    };
    Session::new(model, &options).unwrap()
}
