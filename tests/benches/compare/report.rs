//! What a run has found: raw times, and the figures that follow from them.

use super::machine::Machine;
use super::stats::{Spread, percent, spread};
use serde::Serialize;

/// A whole run.
#[derive(Debug, Serialize)]
pub struct Report {
    pub head: Head,
    pub limits: Vec<Limits>,
    #[serde(skip)]
    pub cases: Vec<Case>,
}

/// Where and when it was, and what ran.
#[derive(Debug, Serialize)]
pub struct Head {
    pub date: String,
    pub commit: String,
    /// Our instruction set.
    pub tier: String,
    pub ggml_version: String,
    pub ggml_origin: String,
    pub ggml_features: Vec<String>,
    pub machine: Machine,
    pub load_at_start: Option<[f64; 3]>,
    pub load_at_end: Option<[f64; 3]>,
    /// The part of all cores' time that others used just before and just after, where known.
    pub busy_at_start: Option<f64>,
    pub busy_at_end: Option<f64>,
    pub seconds_a_case: f64,
    /// Of all.
    pub seconds: f64,
}

/// What the machine can do with some threads, measured in this run.
#[derive(Debug, Serialize)]
pub struct Limits {
    pub threads: usize,
    /// Bytes a second from memory, at the start and at the end.
    pub read_at_start: f64,
    pub read_at_end: Option<f64>,
    /// Multiply-adds of bytes a second, and by which instruction.
    pub int8_macs: Option<f64>,
    pub int8_instruction: Option<&'static str>,
}

impl Limits {
    /// Bytes a second from memory.
    pub fn read(&self) -> f64 {
        self.read_at_start.max(self.read_at_end.unwrap_or(0.0))
    }
}

/// One matrix, one number of vectors, one number of threads.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    pub model: &'static str,
    #[serde(rename = "type")]
    pub ty: &'static str,
    pub rows: usize,
    pub k: usize,
    pub columns: usize,
    pub threads: usize,
    /// Where ggml keeps the weights.
    pub buffer: String,
    /// Bytes of the matrix.
    pub bytes: usize,
    /// Copies of it that take turns.
    pub copies: usize,
    /// Products in a sample.
    pub products: usize,
    /// Nanoseconds of each sample: ours, ggml's. Ours was first in pairs 0, 2, 4 …
    pub pairs: Vec<[u64; 2]>,
}

/// The speed of one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Bytes of weights a second.
    pub bytes: f64,
    /// Multiply-adds a second.
    pub macs: f64,
}

impl Case {
    /// How much faster ours is than ggml's, pair by pair: above 1 ours is.
    pub fn ratio(&self) -> Spread {
        spread(
            self.pairs
                .iter()
                .map(|[ours, theirs]| *theirs as f64 / *ours as f64),
        )
    }

    fn speed(&self, side: usize) -> Speed {
        let nanoseconds = spread(self.pairs.iter().map(|pair| pair[side] as f64)).median;
        let rate = 1e9 * self.products as f64 / nanoseconds;
        let macs = (self.rows * self.k * self.columns) as f64;
        Speed {
            bytes: self.bytes as f64 * rate,
            macs: macs * rate,
        }
    }

    /// Ours, by the median time.
    pub fn ours(&self) -> Speed {
        self.speed(0)
    }

    /// ggml's, by the median time.
    pub fn theirs(&self) -> Speed {
        self.speed(1)
    }
}

impl Report {
    /// The limits for this number of threads.
    pub fn limits(&self, threads: usize) -> Option<&Limits> {
        self.limits.iter().find(|limits| limits.threads == threads)
    }

    /// Per cent of the read rate, and of the peak of bytes, that a speed of this case is.
    pub fn fractions(&self, case: &Case, speed: Speed) -> [Option<f64>; 2] {
        let limits = self.limits(case.threads);
        let read = percent(speed.bytes, limits.map(Limits::read));
        let int8 = percent(speed.macs, limits.and_then(|limits| limits.int8_macs));
        [read, int8]
    }

    /// The numbers of columns and threads that occur, ascending.
    pub fn columns_and_threads(&self) -> [Vec<usize>; 2] {
        let sorted = |of: fn(&Case) -> usize| {
            let mut all: Vec<_> = self.cases.iter().map(of).collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        [sorted(|case| case.columns), sorted(|case| case.threads)]
    }

    /// The types that occur, in the order of the cases.
    pub fn types(&self) -> Vec<&'static str> {
        let mut types: Vec<_> = self.cases.iter().map(|case| case.ty).collect();
        types.dedup();
        types
    }

    /// As JSON, a case a line.
    ///
    /// # Errors
    /// None that these types can cause.
    pub fn json(&self) -> serde_json::Result<String> {
        let head = serde_json::to_string_pretty(self)?;
        let cases: Result<Vec<_>, _> = self.cases.iter().map(serde_json::to_string).collect();
        let head = head.trim_end_matches(['\n', '}']);
        Ok(format!(
            "{head},\n\"cases\": [\n{}\n]}}\n",
            cases?.join(",\n")
        ))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A small report for the tests of what shows one.
    pub fn example() -> Report {
        let case = |ty, columns, threads, ratio: f64| Case {
            model: "smollm2-135m",
            ty,
            rows: 100,
            k: 64,
            columns,
            threads,
            buffer: "CPU_REPACK".to_owned(),
            bytes: 4000,
            copies: 12,
            products: 10,
            pairs: [2000, 1000, 4000]
                .map(|ns| [ns, (ns as f64 * ratio) as u64])
                .to_vec(),
        };
        let head = Head {
            date: "2000-01-31".to_owned(),
            commit: "abc".to_owned(),
            tier: "avx2".to_owned(),
            ggml_version: "1.2.3".to_owned(),
            ggml_origin: "a compiler".to_owned(),
            ggml_features: vec!["AVX2".to_owned()],
            machine: Machine {
                cpu: "A CPU".to_owned(),
                flags: vec!["avx2".to_owned()],
                cores: 2,
                last_cache_bytes: 1 << 20,
            },
            load_at_start: Some([0.5, 0.25, 0.0]),
            load_at_end: None,
            busy_at_start: Some(0.014),
            busy_at_end: None,
            seconds_a_case: 0.1,
            seconds: 61.0,
        };
        let limits = |threads| Limits {
            threads,
            read_at_start: 80e9,
            read_at_end: Some(40e9),
            int8_macs: Some(128e9),
            int8_instruction: Some("add"),
        };
        let mut cases = Vec::new();
        for (ty, ratio) in [("Q4_0", 0.5), ("Q8_0", 2.0)] {
            for threads in [1, 2] {
                cases.push(case(ty, 1, threads, ratio));
                cases.push(case(ty, 512, threads, ratio / 2.0));
            }
        }
        Report {
            head,
            limits: vec![limits(1), limits(2)],
            cases,
        }
    }

    #[test]
    fn speeds_follow_from_the_median_time() {
        let report = example();
        let case = &report.cases[0];
        // 10 products of 4000 bytes in 2 µs.
        let ours = case.ours();
        assert!((ours.bytes - 20e9).abs() < 1.0, "{ours:?}");
        assert!((ours.macs - 32e9).abs() < 1.0, "{ours:?}");
        assert!((case.theirs().bytes - 40e9).abs() < 1.0);
        assert!((case.ratio().median - 0.5).abs() < 1e-12);
        let [read, int8] = report.fractions(case, ours).map(Option::unwrap);
        assert!((read - 25.0).abs() < 1e-9 && (int8 - 25.0).abs() < 1e-9);
    }

    #[test]
    fn json_keeps_every_time() {
        let report = example();
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json["head"]["machine"]["cores"], 2);
        assert_eq!(json["limits"][1]["int8_instruction"], "add");
        let cases = json["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 8);
        assert_eq!(cases[0]["type"], "Q4_0");
        assert_eq!(cases[0]["pairs"].as_array().unwrap().len(), 3);
    }
}
