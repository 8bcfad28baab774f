//! Measuring: each matrix with both sides in turn.

use super::data::Data;
use super::lane::Lane;
use super::ours::Ours;
use super::peer::Peer;
use super::plan::Matrix;
use super::report::Case;
use anyhow::{Result, anyhow};
use puna_kernels::Kernels;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pairs of a case: at least, however long they take, and at most.
const PAIRS: (usize, usize) = (3, 25);

/// Both sides, on threads of their own, and what all cases have in common.
pub struct Bench {
    ours: Lane<Ours>,
    peer: Lane<Peer>,
    threads: Vec<usize>,
    seconds: f64,
    cache: usize,
    /// Of the last matrix: the next one may have the same rows.
    data: Option<(Matrix, Data)>,
}

impl Bench {
    /// Starts the threads of both sides.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn new(kernels: Kernels, threads: &[usize], seconds: f64, cache: usize) -> Result<Self> {
        let (our_threads, peer_threads) = (threads.to_vec(), threads.to_vec());
        Ok(Self {
            ours: Lane::new("ours", move || Ours::new(kernels, &our_threads))?,
            peer: Lane::new("ggml", move || Peer::new(&peer_threads))?,
            threads: threads.to_vec(),
            seconds,
            cache,
            data: None,
        })
    }

    /// All cases of a matrix.
    ///
    /// # Errors
    /// When the two sides do not agree.
    pub fn matrix(&mut self, matrix: &Matrix) -> Result<Vec<Case>> {
        let data = match self.data.take() {
            Some((of, data)) if of.ty == matrix.ty && of.shape.k == matrix.shape.k => data,
            _ => Data::new(matrix.ty, matrix.shape.k),
        };
        let bytes = Arc::new(data.matrix(matrix.shape.rows));
        let copies = matrix.copies(self.cache);
        // The last one's memory first: two matrices of both sides may be too much.
        self.peer.call(Peer::unload);
        let (ours, shared) = (matrix.clone(), Arc::clone(&bytes));
        self.ours.call(move |side| side.load(ours, &shared, copies));
        let theirs = matrix.clone();
        let buffer = self
            .peer
            .call(move |side| side.load(&theirs, &bytes, copies));
        let mut cases = Vec::new();
        for pool in 0..self.threads.len() {
            for &columns in &matrix.columns {
                let case = Case {
                    model: matrix.model,
                    ty: matrix.ty.name(),
                    rows: matrix.shape.rows,
                    k: matrix.shape.k,
                    columns,
                    threads: self.threads[pool],
                    buffer: buffer.clone(),
                    bytes: matrix.bytes(),
                    copies,
                    products: matrix.products(columns),
                    pairs: Vec::new(),
                };
                cases.push(self.case(case, pool, &data)?);
            }
        }
        self.data = Some((matrix.clone(), data));
        Ok(cases)
    }

    /// Checks a case, then measures it.
    fn case(&self, mut case: Case, pool: usize, data: &Data) -> Result<Case> {
        let (n, products) = (case.columns, case.products);
        let copies = case.copies / products * products;
        let x = Arc::new(data.vectors(n));
        let shared = Arc::clone(&x);
        self.ours
            .call(move |side| side.prepare(&shared, pool, products, copies));
        self.peer
            .call(move |side| side.prepare(&x, n, pool, products));

        // One sample that does not count wakes everything up, and makes the answers to compare.
        let (ours, form) = self.ours.call(move |side| {
            side.sample();
            (side.output(), side.form())
        });
        let len = ours.len();
        let theirs = self.peer.call(move |side| {
            side.sample();
            side.output(len)
        });
        data.check(&ours, &theirs, case.rows, form).map_err(|why| {
            let Case {
                ty,
                rows,
                k,
                threads,
                buffer,
                ..
            } = &case;
            anyhow!(
                "the answers differ, so nothing is worth measuring: {ty} {rows}x{k}, {n} columns, \
                 {threads} threads, ggml's buffer {buffer}: {why}"
            )
        })?;

        let budget = Duration::from_secs_f64(self.seconds);
        let start = Instant::now();
        while case.pairs.len() < PAIRS.0 || case.pairs.len() < PAIRS.1 && start.elapsed() < budget {
            let ours = || self.ours.call(|side| side.sample());
            let theirs = || self.peer.call(Peer::sample);
            case.pairs.push(if case.pairs.len().is_multiple_of(2) {
                let ours = ours();
                [ours, theirs()]
            } else {
                let theirs = theirs();
                [ours(), theirs]
            });
        }
        Ok(case)
    }
}
