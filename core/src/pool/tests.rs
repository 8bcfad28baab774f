use super::*;
use std::sync::atomic::AtomicU64;

/// An interpreter needs seconds for a thousand of them.
const fn rounds(n: u64) -> u64 {
    if cfg!(miri) { n / 100 } else { n }
}

#[test]
fn every_item_is_taken_once_at_every_thread_count() {
    for n_threads in 1..=4 {
        let pool = Pool::new(n_threads).unwrap();
        for round in 0..rounds(2_000) {
            let sum = AtomicU64::new(0);
            pool.for_each(0..round % 37, |worker, i| {
                assert!(worker < n_threads);
                sum.fetch_add(i + 1, Relaxed);
            });
            let n = round % 37;
            assert_eq!(sum.into_inner(), n * (n + 1) / 2);
        }
    }
}

#[test]
fn every_column_is_written_once_at_every_thread_count() {
    for n_threads in 1..=4 {
        let pool = Pool::new(n_threads).unwrap();
        for round in 0..rounds(300) as usize {
            let (n, a, b) = (1 + round % 3, 1 + round * 7 % 400, 33 + round % 64);
            let mut outs = [a, b].map(|m| [vec![0.0; n * m], vec![1.0; n * m]]);
            let [first, second] = outs.each_mut();
            let groups = [(first, a), (second, b)];
            pool.for_columns(
                groups.map(|(outs, m)| (outs.each_mut().map(|y| &mut y[..]), m)),
                |worker, group, first, [mut x, mut y]| {
                    assert!(worker < n_threads && x.m() == y.m());
                    for t in 0..x.n() {
                        let (x, y) = (x.row(t), y.row(t));
                        for (i, (x, y)) in x.iter_mut().zip(y).enumerate() {
                            *x += (group * 1_000_000 + t * 1_000 + first + i) as f32;
                            *y += *x;
                        }
                    }
                },
            );
            for (group, ([x, y], m)) in outs.iter().zip([a, b]).enumerate() {
                for (i, (x, y)) in x.iter().zip(y).enumerate() {
                    let wanted = (group * 1_000_000 + i / m * 1_000 + i % m) as f32;
                    assert_eq!((*x, *y), (wanted, wanted + 1.0));
                }
            }
        }
    }
}

#[test]
fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
    let pool = Pool::new(3).unwrap();
    for bad in 0..8 {
        let run = || pool.for_each(0..8, |_, i| assert_ne!(i, bad, "planned"));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
        pool.for_each(0..8, |_, _| {});
    }
}

#[test]
fn several_callers_take_turns() {
    let pool = Pool::new(2).unwrap();
    let total = AtomicU64::new(0);
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..rounds(200) {
                    pool.for_each(0..10, |_, _| {
                        total.fetch_add(1, Relaxed);
                    });
                }
            });
        }
    });
    assert_eq!(total.into_inner(), 40 * rounds(200));
}

#[test]
fn sleeping_workers_wake() {
    let pool = Pool::new(2).unwrap();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(3));
        pool.for_each(0..4, |_, _| {});
    }
}
