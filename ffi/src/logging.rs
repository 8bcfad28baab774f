//! What the runtime logs, handed to the app. It never is text of a prompt or an answer.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock},
};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::home::lock;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum LogLevel {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What happens.
    Info,
    /// For those who work on this library.
    Debug,
    /// All there is.
    Trace,
}

/// Takes lines of the log, on whichever thread they come up. What it throws is dropped.
#[uniffi::export(foreign)]
pub trait LogSink: Send + Sync {
    /// Takes one line; `target` is the part of the runtime that says it.
    fn log(&self, level: LogLevel, target: String, message: String);
}

/// Takes a line: how much it matters, which part of the runtime says it, and what.
pub(crate) type Take = dyn Fn(LogLevel, &str, &str) + Send + Sync;

/// Sends the log, down to `level`, to `sink`; nothing ends it. Another sink takes the place of the first.
#[uniffi::export]
pub fn set_log_sink(sink: Option<Arc<dyn LogSink>>, level: LogLevel) {
    let take = sink.map(|sink| -> Box<Take> {
        Box::new(move |level, target, message| {
            let (target, message) = (target.to_owned(), message.to_owned());
            let _ = catch_unwind(AssertUnwindSafe(|| sink.log(level, target, message)));
        })
    });
    send(take, level);
}

/// As [`set_log_sink`], to a function of Rust's.
pub(crate) fn send(take: Option<Box<Take>>, level: LogLevel) {
    static FORWARD: OnceLock<Forward> = OnceLock::new();
    let forward = FORWARD.get_or_init(Forward::default);
    let filter = match take {
        Some(_) => LevelFilter::from(level),
        None => LevelFilter::Off,
    };
    *lock(&forward.0) = take.map(Arc::from);
    // It fails where the process has a logger already: this one, or that of a Rust program.
    let _ = log::set_logger(forward);
    log::set_max_level(filter);
}

#[derive(Default)]
struct Forward(Mutex<Option<Arc<Take>>>);

impl Log for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("puna")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        // Not locked while the app has it: it may log too.
        let take = lock(&self.0).clone();
        if let Some(take) = take {
            let message = record.args().to_string();
            take(record.level().into(), record.target(), &message);
        }
    }

    fn flush(&self) {}
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::Error,
            LogLevel::Warn => Self::Warn,
            LogLevel::Info => Self::Info,
            LogLevel::Debug => Self::Debug,
            LogLevel::Trace => Self::Trace,
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::Error,
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}
