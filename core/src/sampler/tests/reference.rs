//! The chain written from the definitions: f64, full sorts, no state.

use super::SamplerParams;

/// The only sequence breaker of these tests.
pub const BREAKER: u32 = 3;

/// Survivors and their logits, likeliest first, before temperature. XTC always acts or never.
pub fn chain(params: &SamplerParams, logits: &[f32], history: &[u32]) -> Vec<(u32, f64)> {
    let mut l: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
    for (t, b) in &params.logit_bias {
        l[t.0 as usize] += f64::from(*b);
    }
    let last = |n: u32| &history[history.len().saturating_sub(n as usize)..];
    for id in 0..l.len() as u32 {
        let n = last(params.repeat_last_n)
            .iter()
            .filter(|&&t| t == id)
            .count();
        if n > 0 {
            let x = &mut l[id as usize];
            let r = f64::from(params.repeat_penalty);
            *x = if *x > 0.0 { *x / r } else { *x * r };
            *x -= n as f64 * f64::from(params.frequency_penalty);
            *x -= f64::from(params.presence_penalty);
        }
    }
    if params.dry_multiplier > 0.0 {
        dry_reference(params, last(params.dry_penalty_last_n), &mut l);
    }

    let mut c: Vec<(u32, f64)> = (0..)
        .zip(l)
        .filter(|(_, x)| *x > f64::NEG_INFINITY)
        .collect();
    let by_rank = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    c.sort_by(by_rank);
    if params.top_k > 0 {
        c.truncate(params.top_k as usize);
    }
    let keep = params.min_keep as usize;
    if params.typical_p < 1.0 {
        let p = softmax(&c);
        let entropy: f64 = p.iter().map(|p| -p * p.ln()).sum();
        let mut order: Vec<usize> = (0..c.len()).collect();
        order.sort_by(|&a, &b| {
            let d = |i: usize| (-p[i].ln() - entropy).abs();
            d(a).total_cmp(&d(b))
        });
        let mut kept = Vec::new();
        let mut mass = 0.0;
        for i in order {
            kept.push(c[i]);
            mass += p[i];
            if mass > f64::from(params.typical_p) && kept.len() >= keep {
                break;
            }
        }
        c = kept;
        c.sort_by(by_rank);
    }
    if params.top_p < 1.0 {
        let p = softmax(&c);
        let mut mass = 0.0;
        let mut n = 0;
        while n < c.len() && (mass < f64::from(params.top_p) || n < keep.max(1)) {
            mass += p[n];
            n += 1;
        }
        c.truncate(n);
    }
    if params.min_p > 0.0 {
        let p = softmax(&c);
        let n = p
            .iter()
            .filter(|x| **x >= f64::from(params.min_p) * p[0])
            .count();
        c.truncate(n.max(keep));
    }
    if params.xtc_probability == 1.0 && params.xtc_threshold <= 0.5 {
        let p = softmax(&c);
        let top = p
            .iter()
            .filter(|x| **x >= f64::from(params.xtc_threshold))
            .count();
        if top > 1 && c.len() - (top - 1) >= keep {
            c.drain(..top - 1);
        }
    }
    c
}

/// DRY by its definition, comparing every earlier position with the end, in quadratic time. Every
/// breaker is one token.
fn dry_reference(params: &SamplerParams, window: &[u32], l: &mut [f64]) {
    let n = window.len();
    let limit = window.iter().rev().position(|&t| t == BREAKER).unwrap_or(n);
    let allowed = params.dry_allowed_length as usize;
    if n <= allowed || limit < allowed {
        return;
    }
    for id in (0..l.len() as u32).filter(|id| *id != BREAKER) {
        let would_extend = (0..n - 1).filter(|&end| window[end + 1] == id).map(|end| {
            (0..=end)
                .take_while(|&i| window[end - i] == window[n - 1 - i])
                .count()
                .min(limit)
        });
        if let Some(len) = would_extend.filter(|&len| len >= allowed).max() {
            let growth = f64::from(params.dry_base).powi((len - allowed) as i32);
            l[id as usize] -= f64::from(params.dry_multiplier) * growth;
        }
    }
}

pub fn softmax(c: &[(u32, f64)]) -> Vec<f64> {
    let max = c.iter().fold(f64::NEG_INFINITY, |m, x| m.max(x.1));
    let e: Vec<f64> = c.iter().map(|x| (x.1 - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|x| x / sum).collect()
}
