//! Models that are opened, used and closed again and again: nothing may be left.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use puna_core::{
    cancel::Cancel, chat::ChatTemplate, conversation::Conversation, generate::GenerateOptions,
    model::Model, sampler::SamplerParams, session::SessionOptions,
};

use puna_kernels::WeightType;

use crate::{
    process::Held,
    tiny::{Shape, Tiny},
};

/// Sessions at once on one model.
pub const SESSIONS: usize = 8;

/// The variable that has glibc keep one heap for all threads. How many it keeps otherwise depends on which threads
/// happen to meet, and each holds on to pages that were freed, which is no leak: the live bytes are the same.
pub const ONE_HEAP: (&str, &str) = ("MALLOC_ARENA_MAX", "1");

/// Writes a tiny model that can chat into `folder`; returns its path.
///
/// # Panics
/// If it cannot be written.
#[must_use]
pub fn tiny_model(folder: &Path) -> PathBuf {
    let mut tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    let template = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";
    tiny.set("tokenizer.chat_template", template);
    let path = folder.join("tiny.gguf");
    fs::write(&path, tiny.bytes()).expect("the model is written");
    path
}

/// A model is opened, answers two turns, and is closed; returns the answers.
///
/// # Panics
/// If anything fails.
#[must_use]
pub fn open_chat_close(path: &Path) -> String {
    chat(&Model::open(path).expect("the model opens"), 2)
}

/// [`SESSIONS`] sessions on one model, each on a thread of its own; all must say the same.
///
/// # Panics
/// If they do not, or anything fails.
pub fn sessions_at_once(path: &Path) {
    let model = Model::open(path).expect("the model opens");
    let wanted = chat(&model, 1);
    thread::scope(|scope| {
        let sessions = [(); SESSIONS].map(|()| scope.spawn(|| chat(&model, 1)));
        for session in sessions {
            assert_eq!(session.join().expect("no panic"), wanted);
        }
    });
}

/// Two short turns on `n_threads` threads.
fn chat(model: &Model, n_threads: usize) -> String {
    let template = ChatTemplate::from_gguf(model.gguf(), model.tokenizer()).expect("a template");
    let options = SessionOptions {
        n_ctx: Some(128),
        n_threads: Some(n_threads),
        ..SessionOptions::default()
    };
    let mut chat = Conversation::new(model, template, Some(""), &options).expect("it fits");
    let options = GenerateOptions {
        max_tokens: Some(3),
        sampler: SamplerParams {
            temperature: 0.0,
            ..SamplerParams::default()
        },
        ..GenerateOptions::default()
    };
    let mut said = String::new();
    for _ in 0..2 {
        let mut reply = chat
            .send("Hi", &options, &Cancel::new())
            .expect("it is sent");
        while let Some(piece) = reply.next_piece().expect("it answers") {
            said.push_str(&piece);
        }
        said.push('\n');
    }
    said
}

/// What is there while no model is open.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// What the system says.
    pub held: Held,
    /// Bytes that were allocated and not freed.
    pub live_bytes: usize,
}

/// Live bytes that may be more after any number of cycles: what a library fills in when it is first needed. A leak
/// of one byte a cycle is more in 1,000.
const SLACK: usize = 256;

/// Resident bytes that may be more after any number of cycles: holes between what lives, which move with the threads' luck. What
/// is not given back grows with each cycle.
const HOLES: u64 = 1 << 20;

/// What a soak showed.
#[derive(Clone, Copy, Debug)]
pub struct Soak {
    /// After the first cycles.
    pub before: Left,
    /// After all.
    pub after: Left,
}

impl Soak {
    /// Opens, chats and closes `cycles` times, with [`SESSIONS`] at once before each tenth of them, and looks at the
    /// process after the first tenth, at least two cycles, and at the end. `live_bytes` are those that the program's
    /// allocator counts; `tell` is told of each cycle.
    ///
    /// # Panics
    /// If an answer differs from the first one, or anything fails.
    pub fn run(
        path: &Path,
        cycles: usize,
        live_bytes: impl Fn() -> usize,
        mut tell: impl FnMut(usize, Left),
    ) -> Self {
        let left = |held| Left {
            held,
            live_bytes: live_bytes(),
        };
        let threads = Held::now().threads;
        let wanted = open_chat_close(path);
        let tenth = (cycles / 10).max(1);
        let mut cycle = |i: usize| {
            if i.is_multiple_of(tenth) {
                sessions_at_once(path);
            }
            assert_eq!(open_chat_close(path), wanted);
            tell(i, left(Held::now()));
        };
        let first = tenth.max(2);
        (0..first).for_each(&mut cycle);
        let before = left(Held::settled(threads));
        (first..cycles).for_each(&mut cycle);
        Self {
            before,
            after: left(Held::settled(threads)),
        }
    }

    /// What is left that should not be: live bytes, resident bytes over 5 % more, a descriptor, a thread. In a process of
    /// a few megabytes 5 % is less than the holes that threads leave in a heap, so less than [`HOLES`] is no finding.
    ///
    /// # Errors
    /// What is left, in words.
    pub fn check(&self) -> Result<(), String> {
        let (before, after) = (self.before.held, self.after.held);
        if self.after.live_bytes > self.before.live_bytes + SLACK {
            return Err(format!("memory is not freed: {self:?}"));
        }
        let (had, has) = (before.rss_bytes(), after.rss_bytes());
        if has * 20 > had * 21 && has > had + HOLES {
            return Err(format!("resident memory grew over 5 %: {self:?}"));
        }
        if after.descriptors > before.descriptors {
            return Err(format!("descriptors are left open: {self:?}"));
        }
        if after.threads > before.threads {
            return Err(format!("threads are left: {self:?}"));
        }
        Ok(())
    }
}
