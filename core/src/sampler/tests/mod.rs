//! The chain against a plain reference, its properties, and the distributions that it draws from.

use super::*;
use proptest::prelude::*;
use reference::{BREAKER, chain, softmax};

mod reference;

const BIG: usize = 600;

fn ids(history: &[u32]) -> impl Iterator<Item = TokenId> + '_ {
    history.iter().map(|&t| TokenId(t))
}

fn sampler(params: &SamplerParams, n_vocab: usize, history: &[u32]) -> Sampler {
    let mut sampler = Sampler::new(params.clone(), n_vocab, &[vec![TokenId(BREAKER)]]).unwrap();
    ids(history).for_each(|t| sampler.accept(t));
    sampler
}

/// Logits with repeats, so that ties are common; now and then a banned token.
fn logits(n: usize) -> impl Strategy<Value = Vec<f32>> {
    let logit = prop_oneof![20 => -40i32..40, 1 => Just(i32::MIN)];
    let value = logit.prop_map(|x| {
        if x == i32::MIN {
            f32::NEG_INFINITY
        } else {
            x as f32 * 0.13
        }
    });
    prop::collection::vec(value, n)
}

fn params() -> impl Strategy<Value = SamplerParams> {
    let filters = (0u32..20, 0.05f32..1.3, 0.05f32..1.3, 0.0f32..0.4, 0u32..5);
    let penalties = (0u32..12, 0.7f32..1.6, -0.5f32..0.9, -0.5f32..0.9);
    let dry = (
        prop_oneof![Just(0.0f32), 0.1f32..1.5],
        1.0f32..2.0,
        0u32..4,
        0u32..24,
    );
    let xtc = (prop_oneof![Just(0.0f32), Just(1.0f32)], 0.02f32..0.6);
    (filters, penalties, dry, xtc, any::<u64>()).prop_map(|(f, p, d, x, seed)| SamplerParams {
        seed,
        temperature: 0.7,
        top_k: f.0,
        top_p: f.1.min(1.0),
        typical_p: f.2.min(1.0),
        min_p: (f.3 - 0.1).max(0.0),
        min_keep: f.4,
        repeat_last_n: p.0,
        repeat_penalty: p.1,
        frequency_penalty: p.2,
        presence_penalty: p.3,
        dry_multiplier: d.0,
        dry_base: d.1,
        dry_allowed_length: d.2,
        dry_penalty_last_n: d.3,
        xtc_probability: x.0,
        xtc_threshold: x.1,
        mirostat: None,
        logit_bias: vec![(TokenId(1), 1.5), (TokenId(2), f32::NEG_INFINITY)],
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        // The same cases in every run.
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// After a sample, the buffer holds exactly the reference's survivors, with its probabilities.
    #[test]
    fn the_chain_agrees_with_the_reference(
        params in params(),
        logits in logits(40),
        history in prop::collection::vec(0u32..8, 0..30),
    ) {
        let wanted = chain(&params, &logits, &history);
        let mut sampler = sampler(&params, logits.len(), &history);
        let token = match sampler.sample(&logits) {
            Err(SamplerError::AllBanned) => {
                prop_assert!(wanted.is_empty());
                return Ok(());
            }
            token => token.unwrap(),
        };
        let mut had: Vec<_> = sampler.candidates.list.iter().map(|c| (c.id.0, c.p)).collect();
        had.sort_by_key(|c| c.0);
        let cooled: Vec<_> = wanted.iter().map(|c| (c.0, c.1 / f64::from(params.temperature))).collect();
        let mut wanted: Vec<_> = wanted.iter().map(|c| c.0).zip(softmax(&cooled)).collect();
        wanted.sort_by_key(|c| c.0);
        prop_assert_eq!(had.len(), wanted.len(), "{:?} {:?}", had, wanted);
        for (h, w) in had.iter().zip(&wanted) {
            prop_assert_eq!(h.0, w.0);
            prop_assert!((h.1 - w.1).abs() < 1e-5, "{:?} {:?}", h, w);
        }
        prop_assert!(wanted.iter().any(|w| w.0 == token.0 && w.1 > 0.0));
    }

    /// Partial selection is a full sort's beginning, ties by id included.
    #[test]
    fn top_k_is_the_beginning_of_a_full_sort(logits in logits(BIG), k in 1u32..BIG as u32) {
        let mut candidates = Candidates::default();
        top_k::collect(&mut candidates, &logits, k);
        let mut wanted: Vec<usize> = (0..BIG).filter(|&i| logits[i] > f32::NEG_INFINITY).collect();
        wanted.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        wanted.truncate(k as usize);
        let had: Vec<usize> = candidates.list.iter().map(|c| c.id.0 as usize).collect();
        prop_assert_eq!(had, wanted);
    }

    /// Partial selection in top-p keeps what sorting first keeps.
    #[test]
    fn top_p_does_not_depend_on_being_sorted(logits in logits(BIG), p in 0.0f32..1.0) {
        let mut unsorted = Candidates::default();
        unsorted.collect(&logits);
        let mut sorted = unsorted.clone();
        sorted.sort();
        filters::top_p(&mut unsorted, p, 1);
        filters::top_p(&mut sorted, p, 1);
        let ids = |c: &Candidates| c.list.iter().map(|c| c.id).collect::<Vec<_>>();
        // The two sums of so many terms may round apart in the last place.
        prop_assert!(unsorted.list.len().abs_diff(sorted.list.len()) <= 1);
        let n = unsorted.list.len().min(sorted.list.len());
        prop_assert_eq!(&ids(&unsorted)[..n], &ids(&sorted)[..n]);
    }
}

/// Pearson's χ² of `draws` samples against `wanted` probabilities.
fn chi_square(sampler: &mut Sampler, logits: &[f32], wanted: &[f64], draws: u32) -> f64 {
    let mut seen = vec![0u32; logits.len()];
    for _ in 0..draws {
        seen[sampler.sample(logits).unwrap().0 as usize] += 1;
    }
    let terms = seen.iter().zip(wanted).map(|(&n, &p)| {
        assert!(p > 0.0 || n == 0, "drew an impossible token");
        let expected = f64::from(draws) * p;
        if p > 0.0 {
            (f64::from(n) - expected).powi(2) / expected
        } else {
            0.0
        }
    });
    terms.sum()
}

#[test]
fn draws_follow_the_distribution() {
    let logits = [2.0, 1.5, f32::NEG_INFINITY, 1.0, 0.5, 0.0, -0.5, -1.0, 0.25];
    for (temperature, seed) in [(1.0, 1), (0.5, 2), (2.0, 3)] {
        let params = SamplerParams {
            seed,
            temperature,
            ..SamplerParams::greedy()
        };
        let scaled: Vec<_> = (0..)
            .zip(logits)
            .map(|(i, l)| (i, f64::from(l / temperature)))
            .collect();
        let wanted = softmax(&scaled);
        let mut sampler = Sampler::new(params, logits.len(), &[]).unwrap();
        let chi2 = chi_square(&mut sampler, &logits, &wanted, 20_000);
        // 7 degrees of freedom: 24.3 is passed once in 1000 seeds.
        assert!(chi2 < 24.3, "{chi2}");
    }
}

#[test]
fn xtc_acts_as_often_as_asked() {
    let probabilities: [f32; 4] = [0.4, 0.3, 0.2, 0.1];
    let logits = probabilities.map(f32::ln);
    let params = SamplerParams {
        temperature: 1.0,
        xtc_probability: 0.25,
        xtc_threshold: 0.15,
        ..SamplerParams::greedy()
    };
    // When it acts, 0.2 and 0.1 are left: 2/3 and 1/3.
    let wanted = [0.3, 0.225, 0.15 + 0.25 * 2.0 / 3.0, 0.075 + 0.25 / 3.0];
    let mut sampler = Sampler::new(params, 4, &[]).unwrap();
    let chi2 = chi_square(&mut sampler, &logits, &wanted, 20_000);
    // 3 degrees of freedom: 16.3 is passed once in 1000 seeds.
    assert!(chi2 < 16.3, "{chi2}");
}

#[test]
fn mirostat_steers_to_its_target() {
    // 256 tokens, Zipf: plain sampling would give far more surprise than 3 bits.
    let logits: Vec<f32> = (1..=256).map(|rank| -(rank as f32).ln()).collect();
    let mirostat = Some(Mirostat2 { tau: 3.0, eta: 0.1 });
    let params = SamplerParams {
        temperature: 1.0,
        mirostat,
        ..SamplerParams::greedy()
    };
    let mut sampler = Sampler::new(params, logits.len(), &[]).unwrap();
    let mut mu = 6.0;
    let mut total = 0.0;
    for n in 0..2000 {
        let token = sampler.sample(&logits).unwrap();
        // By the paper: truncate at mu, renormalise, measure, correct.
        let all: Vec<_> = (0..)
            .zip(&logits)
            .map(|(i, &l)| (i, f64::from(l)))
            .collect();
        let p = softmax(&all);
        let kept: Vec<_> = (0..256).filter(|&i| i == 0 || -p[i].log2() <= mu).collect();
        assert!(kept.contains(&(token.0 as usize)));
        let mass: f64 = kept.iter().map(|&i| p[i]).sum();
        let surprise = -(p[token.0 as usize] / mass).log2();
        mu -= f64::from(0.1f32) * (surprise - 3.0);
        assert!((sampler.state().mu - mu).abs() < 1e-3);
        total += if n < 500 { 0.0 } else { surprise };
    }
    assert!((total / 1500.0 - 3.0).abs() < 0.1, "{}", total / 1500.0);
}

#[test]
fn greedy_takes_the_lowest_id_of_equals() {
    let mut sampler = Sampler::new(SamplerParams::greedy(), 4, &[]).unwrap();
    assert_eq!(sampler.sample(&[-0.0, 0.0, 0.0, -1.0]), Ok(TokenId(0)));
    assert_eq!(sampler.sample(&[-1.0, 2.0, 2.0, 1.0]), Ok(TokenId(1)));
    let typical = SamplerParams {
        typical_p: 0.1,
        ..SamplerParams::greedy()
    };
    // The long tail is more typical than the peak, so greedy picks from the tail.
    let mut sampler = Sampler::new(typical, 9, &[]).unwrap();
    let logits = [1.0, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_ne!(sampler.sample(&logits), Ok(TokenId(0)));
}

#[test]
fn hostile_logits_are_typed_errors() {
    for params in [SamplerParams::greedy(), SamplerParams::default()] {
        let mut sampler = Sampler::new(params, 3, &[]).unwrap();
        let nan = sampler.sample(&[0.0, f32::NAN, f32::NAN]);
        assert_eq!(nan, Err(SamplerError::NotFinite { index: 1 }));
        let inf = sampler.sample(&[0.0, 0.0, f32::INFINITY]);
        assert_eq!(inf, Err(SamplerError::NotFinite { index: 2 }));
        let banned = sampler.sample(&[f32::NEG_INFINITY; 3]);
        assert_eq!(banned, Err(SamplerError::AllBanned));
        let short = sampler.sample(&[0.0]);
        assert_eq!(short, Err(SamplerError::LogitsLength { wanted: 3, had: 1 }));
        let only = sampler.sample(&[f32::NEG_INFINITY, -1e30, f32::NEG_INFINITY]);
        assert_eq!(only, Ok(TokenId(1)));
    }
    // Nothing overflows into a NaN on the way.
    let params = SamplerParams {
        temperature: 1e-30,
        repeat_penalty: 1e-30,
        frequency_penalty: -3e38,
        dry_multiplier: 3e38,
        dry_base: 1e30,
        dry_allowed_length: 0,
        logit_bias: vec![(TokenId(0), 3e38)],
        ..SamplerParams::default()
    };
    let mut sampler = sampler(&params, 3, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let token = sampler
        .sample(&[f32::MAX, f32::MIN, f32::NEG_INFINITY])
        .unwrap();
    assert_ne!(token, TokenId(2));
}

#[test]
fn parameters_out_of_range_name_themselves() {
    type Spoil = fn(&mut SamplerParams);
    let cases: [(&str, Spoil); 11] = [
        ("temperature", |p| p.temperature = -1.0),
        ("top_p", |p| p.top_p = 1.1),
        ("min_p", |p| p.min_p = f32::NAN),
        ("typical_p", |p| p.typical_p = -0.1),
        ("xtc_probability", |p| p.xtc_probability = 2.0),
        ("xtc_threshold", |p| p.xtc_threshold = f32::INFINITY),
        ("repeat_penalty", |p| p.repeat_penalty = 0.0),
        ("frequency_penalty", |p| p.frequency_penalty = f32::NAN),
        ("dry_base", |p| p.dry_base = f32::INFINITY),
        ("mirostat tau", |p| {
            p.mirostat = Some(Mirostat2 {
                tau: -1.0,
                eta: 0.1,
            })
        }),
        ("logit_bias", |p| {
            p.logit_bias = vec![(TokenId(0), f32::INFINITY)]
        }),
    ];
    for (name, spoil) in cases {
        let mut params = SamplerParams::default();
        spoil(&mut params);
        match params.validate(10) {
            Err(SamplerError::OutOfRange { what, .. }) => assert_eq!(what, name),
            other => panic!("{name}: {other:?}"),
        }
    }
    let bias = SamplerParams {
        logit_bias: vec![(TokenId(10), 1.0)],
        ..SamplerParams::default()
    };
    assert!(matches!(
        bias.validate(10),
        Err(SamplerError::TokenOutOfRange { n_vocab: 10, .. })
    ));
    assert!(SamplerParams::default().validate(0).is_err());
}

/// Pinned: a change here changes what users' seeds give.
#[test]
fn a_seed_gives_these_tokens() {
    let logits: Vec<f32> = (0..100u16)
        .map(|i| f32::from(i * 37 % 101) * 0.05)
        .collect();
    let params = SamplerParams {
        seed: 42,
        repeat_penalty: 1.1,
        ..SamplerParams::default()
    };
    let mut sampler = sampler(&params, 100, &[]);
    let mut six = |from: Option<&SamplerState>| {
        match from {
            Some(state) => sampler.restore(state).unwrap(),
            None => sampler.reset(),
        }
        let tokens: Vec<u32> = (0..6).map(|_| step(&mut sampler, &logits)).collect();
        (tokens, sampler.state())
    };
    let (first, saved) = six(None);
    assert_eq!(first, [16, 35, 95, 65, 2, 90]);
    assert_eq!(six(Some(&saved)).0, [62, 19, 87, 13, 57, 8]);
    assert_eq!(six(None).0, first);
    assert_eq!(six(Some(&saved)).0, [62, 19, 87, 13, 57, 8]);
}

fn step(sampler: &mut Sampler, logits: &[f32]) -> u32 {
    let token = sampler.sample(logits).unwrap();
    sampler.accept(token);
    token.0
}

#[test]
fn a_saved_state_is_checked() {
    let mut sampler = Sampler::new(SamplerParams::default(), 4, &[]).unwrap();
    let foreign = SamplerState {
        history: vec![TokenId(4)],
        ..sampler.state()
    };
    assert!(matches!(
        sampler.restore(&foreign),
        Err(SamplerError::TokenOutOfRange { .. })
    ));
    let nan = SamplerState {
        mu: f64::NAN,
        ..sampler.state()
    };
    assert!(matches!(
        sampler.restore(&nan),
        Err(SamplerError::OutOfRange { what: "mu", .. })
    ));
}

/// The worked example of llama.cpp's comment: after `a b c c b c y a b c`, `c` would extend a
/// repetition of 3, `y` of 2, `b` of 1.
#[test]
fn dry_penalises_by_the_length_of_the_repetition() {
    let (a, b, c, y) = (0, 1, 2, 4);
    let text = [a, b, c, c, b, c, y, a, b, c];
    let params = SamplerParams {
        dry_multiplier: 1.0,
        dry_base: 2.0,
        dry_allowed_length: 1,
        ..SamplerParams::greedy()
    };
    let with = |breakers: &[Vec<TokenId>], text: &[u32]| {
        let mut sampler = Sampler::new(params.clone(), 5, breakers).unwrap();
        ids(text).for_each(|t| sampler.accept(t));
        sampler.sample(&[0.0; 5]).unwrap();
        sampler.adjusted.clone()
    };
    assert_eq!(with(&[], &text), [0.0, -1.0, -4.0, 0.0, -2.0]);
    let breaks = |sequence: &[u32]| vec![ids(sequence).collect::<Vec<_>>()];
    // Nothing before `b` counts; then `b` followed by `c`, where no token is left; then a
    // sequence that is not there. A breaker of one token is never penalised itself.
    assert_eq!(with(&breaks(&[b]), &text), [0.0, 0.0, -1.0, 0.0, -1.0]);
    assert_eq!(with(&breaks(&[b, c]), &text), [0.0; 5]);
    assert_eq!(with(&breaks(&[b, y]), &text), [0.0, -1.0, -4.0, 0.0, -2.0]);
}

#[test]
fn dry_breakers_are_found_inside_and_across_tokens() {
    let vocabulary: [&[u8]; 6] = [b"a", b"x::y", b":", b"b:", b"::", b"n"];
    let pieces = (0..).map(TokenId).zip(vocabulary);
    let tokenize = |s: &str| vec![if s == ":" { TokenId(2) } else { TokenId(5) }];
    let found = dry_breakers(pieces, &["::", "n", ""], tokenize);
    let ids = |list: &[u32]| list.iter().map(|&t| TokenId(t)).collect::<Vec<_>>();
    assert_eq!(
        found,
        [ids(&[1]), ids(&[2, 2]), ids(&[3, 2]), ids(&[4]), ids(&[5])]
    );
}
