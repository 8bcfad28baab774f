//! What is measured of which model, in which order, and how long it will take.

use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::path::PathBuf;

/// A model and its name on the page.
#[derive(Clone, Debug)]
pub struct ModelFile {
    pub name: String,
    pub path: PathBuf,
}

/// The value of `--model`: `NAME=FILE`.
pub fn parse_model(text: &str) -> Result<ModelFile, String> {
    let (name, path) = text.split_once('=').ok_or("this is not NAME=FILE")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        return Err("a name is letters, digits, `.`, `_` and `-`".to_owned());
    }
    Ok(ModelFile {
        name: name.to_owned(),
        path: path.into(),
    })
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    Quick,
    Usual,
    Long,
}

/// One `puna bench --compare`.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub model: String,
    path: PathBuf,
    bytes: u64,
    pub threads: usize,
    prompts: Vec<usize>,
    gens: Vec<usize>,
    depth: usize,
    rounds: usize,
    start: bool,
}

/// Sizes of files, in bytes, below which a model is small, or of middle size.
const SMALL: u64 = 400_000_000;
const MIDDLE: u64 = 2_000_000_000;

/// As deep as a context of 8,192 lets 32 tokens be made.
const DEEPEST: usize = 8192 - 32;

/// All steps. What matters most comes first, of every model, so that a run that was cut short says something
/// of each.
///
/// # Errors
/// If a file cannot be looked at.
pub fn steps(models: &[ModelFile], extent: Extent, cores: usize) -> Result<Vec<Step>> {
    let mut waves: [Vec<Step>; 4] = Default::default();
    let mut names = std::collections::BTreeSet::new();
    let mut first_small = true;
    for model in models {
        ensure!(names.insert(&model.name), "two models are {}", model.name);
        let bytes = std::fs::metadata(&model.path)
            .with_context(|| model.path.display().to_string())?
            .len();
        let step = |threads, prompts: &[usize], gens: &[usize], depth, rounds| Step {
            model: model.name.clone(),
            path: model.path.clone(),
            bytes,
            threads,
            prompts: prompts.to_vec(),
            gens: gens.to_vec(),
            depth,
            rounds,
            start: false,
        };
        let with_start = |step: Step| Step {
            start: true,
            ..step
        };
        let [head, prompts, threads, depths] = &mut waves;
        if extent == Extent::Quick {
            head.push(with_start(step(cores, &[32], &[8], 0, 2)));
            continue;
        }
        let long = extent == Extent::Long;
        if bytes < SMALL {
            head.push(with_start(step(cores, &[512], &[64], 0, 5)));
            // Other forms of a small model differ in their products only.
            if !first_small && !long {
                continue;
            }
            first_small = false;
            prompts.push(step(cores, &[1, 8, 32, 128, 1024], &[], 0, 5));
            threads.push(step(1, &[512], &[64], 0, 3));
            depths.push(step(cores, &[], &[32], 512, 5));
            depths.push(step(cores, &[], &[32], 2048, 3));
            depths.push(step(cores, &[], &[32], DEEPEST, 2));
        } else if bytes < MIDDLE {
            head.push(with_start(step(cores, &[512], &[32], 0, 3)));
            prompts.push(step(cores, &[1, 8, 32, 128], &[], 0, 3));
            threads.push(step(1, &[128], &[16], 0, 3));
            threads.push(step(cores, &[], &[16], 0, 3));
            depths.push(step(cores, &[], &[16], 512, 2));
            if long {
                prompts.push(step(cores, &[1024], &[], 0, 3));
                depths.push(step(cores, &[], &[16], 2048, 3));
                depths.push(step(cores, &[], &[16], DEEPEST, 2));
            }
        } else {
            head.push(with_start(step(cores, &[512], &[8], 0, 2)));
            prompts.push(step(cores, &[8, 32, 128], &[], 0, 2));
            if long {
                prompts.push(step(cores, &[1024], &[], 0, 3));
                threads.push(step(1, &[128], &[8], 0, 3));
                depths.push(step(cores, &[], &[8], 512, 3));
                depths.push(step(cores, &[], &[8], 2048, 2));
            }
        }
    }
    let mut steps: Vec<Step> = waves.into_iter().flatten().collect();
    if cores == 1 {
        steps.dedup_by(|b, a| a.id() == b.id());
    }
    Ok(steps)
}

impl Step {
    /// What tells it from others, for people too.
    pub fn id(&self) -> String {
        let list = |numbers: &[usize]| {
            let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
            numbers.join(",")
        };
        let mut id = format!("{}, {} threads", self.model, self.threads);
        for (name, numbers) in [("prompts", &self.prompts), ("made", &self.gens)] {
            if !numbers.is_empty() {
                id += &format!(", {name} {}", list(numbers));
            }
        }
        if self.depth > 0 {
            id += &format!(", depth {}", self.depth);
        }
        id += &format!(", {} rounds", self.rounds);
        if self.start {
            id += ", starts";
        }
        id
    }

    /// `text` with the model's file named as a page may name it.
    pub fn without_folder(&self, text: &str) -> String {
        let name = self.path.file_name().unwrap_or_default();
        text.replace(&*self.path.to_string_lossy(), &name.to_string_lossy())
    }

    /// For `puna bench`.
    pub fn arguments(&self) -> Vec<OsString> {
        let list = |numbers: &[usize]| match numbers {
            [] => "0".to_owned(),
            some => some
                .iter()
                .map(usize::to_string)
                .collect::<Vec<_>>()
                .join(","),
        };
        let mut arguments: Vec<OsString> = vec!["-m".into(), self.path.clone().into()];
        let numbers = [
            ("-p", list(&self.prompts)),
            ("-n", list(&self.gens)),
            ("-d", self.depth.to_string()),
            ("-r", self.rounds.to_string()),
            ("-t", self.threads.to_string()),
        ];
        for (name, value) in numbers {
            arguments.extend([name.into(), value.into()]);
        }
        arguments.extend(self.start.then(|| "--start".into()));
        arguments
    }

    /// About how long it takes, by what two cores of a Sapphire Rapids server do. It only has to be right
    /// enough to be waited for: what the first steps really took corrects it.
    pub fn seconds(&self) -> f64 {
        let bytes = self.bytes as f64;
        let slower = if self.threads == 1 { 1.9 } else { 1.0 };
        // Reading the file, and what llama.cpp rearranges.
        let (our_load, their_load) = (0.05 + bytes / 8e9, 0.25 + bytes / 1e9);
        // Seconds a token, ours in prompts at half of theirs.
        let (prompt, made) = (bytes / 75e9 * slower, bytes / 14e9 * slower);
        let deep = self.depth as f64 * prompt * (1.0 + self.depth as f64 / 4096.0);
        // Settings of the other program: all in the first round, then two.
        let settings = if self.depth > 0 { 3 } else { 2 };
        let theirs = (settings + 2 * (self.rounds - 1)) as f64;
        let ours = self.rounds as f64;
        let processes = |work: f64| {
            ours * (our_load + 0.6 * (work + deep)) + theirs * (their_load + work + deep)
        };
        let prompts = self.prompts.iter().map(|n| 2.0 * *n as f64 * prompt);
        let gens = self.gens.iter().map(|n| (1 + n) as f64 * made);
        let tests: f64 = prompts.chain(gens).map(processes).sum();
        let start = our_load + their_load + 2.0 * (16.0 * prompt + made);
        // A cold one reads the disk, at some 1 GB/s, on both sides.
        let starts = 2.0 * ours * (start + bytes / 1e9);
        let first_words = our_load + their_load;
        first_words + tests + if self.start { starts } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str, bytes: usize, folder: &std::path::Path) -> ModelFile {
        let path = folder.join(name);
        let file = std::fs::File::create(&path).unwrap();
        // Sparse: only its length is looked at.
        file.set_len(bytes as u64).unwrap();
        ModelFile {
            name: name.to_owned(),
            path,
        }
    }

    #[test]
    fn every_model_has_its_head_before_the_rest() {
        let folder = std::env::temp_dir().join(format!("measure-plan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let models = [
            model("small", 98_000_000, &folder),
            model("other-form", 140_000_000, &folder),
            model("large", 3_800_000_000, &folder),
        ];
        let steps = steps(&models, Extent::Usual, 2).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let heads: Vec<(&str, bool)> = steps[..4]
            .iter()
            .map(|step| (step.model.as_str(), step.start))
            .collect();
        let want = [
            ("small", true),
            ("other-form", true),
            ("large", true),
            ("small", false),
        ];
        assert_eq!(heads, want);
        let of_other = steps.iter().filter(|step| step.model == "other-form");
        assert_eq!(of_other.count(), 1);
        assert_eq!(
            steps[0].id(),
            "small, 2 threads, prompts 512, made 64, 5 rounds, starts"
        );
        let said = format!("{}: refused", models[0].path.display());
        assert_eq!(steps[0].without_folder(&said), "small: refused");
        let last: Vec<_> = steps[0].arguments()[2..].to_vec();
        let want = "-p 512 -n 64 -d 0 -r 5 -t 2 --start".split(' ');
        assert_eq!(last, want.map(OsString::from).collect::<Vec<_>>());
    }

    #[test]
    fn a_name_is_part_of_a_files_name() {
        assert_eq!(parse_model("a-1.b=x=y").unwrap().path, PathBuf::from("x=y"));
        for bad in ["x.gguf", "=x", "a/b=x", "a b=x"] {
            assert!(parse_model(bad).is_err(), "{bad}");
        }
    }
}
