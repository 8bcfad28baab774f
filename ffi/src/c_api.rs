//! The runtime for C: `ffi/include/puna.h` says what each function does.
//!
//! A handle is a box that the caller owns until it closes it; null is refused wherever it comes.
#![allow(unsafe_code)]

use std::{
    cell::RefCell,
    ffi::{CStr, CString, c_char},
    path::Path,
    ptr,
    sync::{Arc, Mutex},
};

use crate::{
    chat::Chat,
    error::PunaError,
    home::lock,
    licence::accept_beside,
    model::Model,
    options::{AnswerOptions, ChatOptions, KvStorage, SamplerSettings},
    stream::TokenStream,
};

thread_local! {
    static ERROR: RefCell<CString> = RefCell::default();
}

/// `puna_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// [`PunaError::Unreadable`].
    Unreadable = 1,
    /// [`PunaError::InvalidModel`].
    InvalidModel = 2,
    /// [`PunaError::UnsupportedModel`].
    UnsupportedModel = 3,
    /// [`PunaError::DoesNotFit`].
    DoesNotFit = 4,
    /// [`PunaError::ContextFull`].
    ContextFull = 5,
    /// [`PunaError::InvalidOption`].
    InvalidOption = 6,
    /// [`PunaError::Refused`].
    Refused = 7,
    /// [`PunaError::Unwritable`].
    Unwritable = 8,
    /// [`PunaError::InvalidState`].
    InvalidState = 9,
    /// [`PunaError::InUse`].
    InUse = 10,
    /// [`PunaError::NoTurn`].
    NoTurn = 11,
    /// [`PunaError::Cancelled`].
    Cancelled = 12,
    /// [`PunaError::DeadlineExceeded`].
    DeadlineExceeded = 13,
    /// [`PunaError::Busy`].
    Busy = 14,
    /// [`PunaError::Closed`].
    Closed = 15,
    /// [`PunaError::Internal`].
    Internal = 16,
    /// [`PunaError::LicenceNotAccepted`].
    LicenceNotAccepted = 17,
}

impl From<&PunaError> for Status {
    fn from(error: &PunaError) -> Self {
        match error {
            PunaError::Unreadable { .. } => Self::Unreadable,
            PunaError::InvalidModel { .. } => Self::InvalidModel,
            PunaError::UnsupportedModel { .. } => Self::UnsupportedModel,
            PunaError::DoesNotFit { .. } => Self::DoesNotFit,
            PunaError::ContextFull { .. } => Self::ContextFull,
            PunaError::InvalidOption { .. } => Self::InvalidOption,
            PunaError::Refused { .. } => Self::Refused,
            PunaError::Unwritable { .. } => Self::Unwritable,
            PunaError::InvalidState { .. } => Self::InvalidState,
            PunaError::InUse { .. } => Self::InUse,
            PunaError::NoTurn => Self::NoTurn,
            PunaError::Cancelled => Self::Cancelled,
            PunaError::DeadlineExceeded => Self::DeadlineExceeded,
            PunaError::Busy => Self::Busy,
            PunaError::Closed => Self::Closed,
            PunaError::LicenceNotAccepted { .. } => Self::LicenceNotAccepted,
            // No call of this interface downloads.
            PunaError::NoSpace { .. }
            | PunaError::DownloadFailed { .. }
            | PunaError::Internal { .. } => Self::Internal,
        }
    }
}

/// `puna_chat_options`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CChatOptions {
    system: *const c_char,
    n_ctx: u32,
    n_threads: u32,
    kv_q8: u32,
}

/// `puna_answer_options`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct CAnswerOptions {
    max_tokens: u32,
    temperature: f32,
    seed: u64,
}

/// `puna_answer`.
#[derive(Debug)]
pub struct CAnswer {
    stream: Arc<TokenStream>,
    /// The newest piece and a zero.
    piece: Mutex<Vec<u8>>,
}

/// Runs a call; an error becomes its status, and its text this thread's.
fn status(work: impl FnOnce() -> Result<(), PunaError>) -> Status {
    match work() {
        Ok(()) => Status::Ok,
        Err(error) => {
            let text: Vec<u8> = error.to_string().bytes().filter(|b| *b != 0).collect();
            ERROR.set(CString::new(text).unwrap_or_default());
            Status::from(&error)
        }
    }
}

fn refuse(what: &str) -> PunaError {
    PunaError::InvalidOption {
        what: what.to_owned(),
    }
}

/// # Safety
/// `text` is null or a string that ends with a zero and stays as it is during the call.
unsafe fn text(text: *const c_char) -> Result<String, PunaError> {
    if text.is_null() {
        return Err(refuse("a text is null"));
    }
    // SAFETY: by this function's contract.
    let text = unsafe { CStr::from_ptr(text) };
    let text = text.to_str().map_err(|_| refuse("a text is not UTF-8"))?;
    Ok(text.to_owned())
}

/// # Safety
/// `pointer` is null or points to a `T` that nobody changes during the call.
unsafe fn of<'a, T>(pointer: *const T) -> Result<&'a T, PunaError> {
    // SAFETY: by this function's contract.
    unsafe { pointer.as_ref() }.ok_or_else(|| refuse("a pointer is null"))
}

/// Puts what `make` makes where `into` points; null where it fails.
///
/// # Safety
/// `into` is null or a place for a pointer.
unsafe fn put<T>(into: *mut *mut T, make: impl FnOnce() -> Result<T, PunaError>) -> Status {
    // SAFETY: by this function's contract.
    let Some(into) = (unsafe { into.as_mut() }) else {
        return status(|| Err(refuse("the place for a handle is null")));
    };
    *into = ptr::null_mut();
    status(|| {
        *into = Box::into_raw(Box::new(make()?));
        Ok(())
    })
}

/// # Safety
/// `handle` is null or came from [`put`], and is not used again.
unsafe fn close<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: by this function's contract it is a box that nobody else has.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// As `puna.h` says.
///
/// # Safety
/// As `puna.h` says: pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_model_open(
    path: *const c_char,
    model: *mut *mut Arc<Model>,
) -> Status {
    // SAFETY: by this function's contract.
    unsafe { put(model, || Model::open(text(path)?, None)) }
}

/// As `puna.h` says.
///
/// # Safety
/// As `puna.h` says: pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_licence_accept(path: *const c_char, who: *const c_char) -> Status {
    // SAFETY: by this function's contract.
    status(|| unsafe { accept_beside(Path::new(&text(path)?), &text(who)?) })
}

/// As `puna.h` says.
///
/// # Safety
/// `model` is null or was opened, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_model_close(model: *mut Arc<Model>) {
    // SAFETY: by this function's contract.
    unsafe { close(model) }
}

/// As `puna.h` says.
///
/// # Safety
/// As `puna.h` says: pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_chat_open(
    model: *const Arc<Model>,
    options: *const CChatOptions,
    chat: *mut *mut Arc<Chat>,
) -> Status {
    let make = || {
        // SAFETY: by this function's contract.
        let (model, options) = unsafe { (of(model)?, options.as_ref()) };
        let system = match options.map(|o| o.system) {
            // SAFETY: by this function's contract.
            Some(system) if !system.is_null() => Some(unsafe { text(system)? }),
            _ => None,
        };
        let given = |number: fn(&CChatOptions) -> u32| options.map(number).filter(|n| *n != 0);
        model.chat(ChatOptions {
            system,
            n_ctx: given(|o| o.n_ctx),
            kv: given(|o| o.kv_q8).map(|_| KvStorage::Q8),
            n_threads: given(|o| o.n_threads),
            answer: answer_options(None),
            ..ChatOptions::default()
        })
    };
    // SAFETY: by this function's contract.
    unsafe { put(chat, make) }
}

/// As `puna.h` says.
///
/// # Safety
/// `chat` is null or was opened, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_chat_close(chat: *mut Arc<Chat>) {
    // SAFETY: by this function's contract.
    unsafe { close(chat) }
}

/// As `puna.h` says.
///
/// # Safety
/// As `puna.h` says: pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_chat_ask(
    chat: *const Arc<Chat>,
    question: *const c_char,
    options: *const CAnswerOptions,
    answer: *mut *mut CAnswer,
) -> Status {
    let make = || {
        // SAFETY: by this function's contract.
        let (chat, question, options) = unsafe { (of(chat)?, text(question)?, options.as_ref()) };
        let options = options.map(|options| answer_options(Some(options)));
        Ok(CAnswer {
            stream: chat.send(question, options)?,
            piece: Mutex::default(),
        })
    };
    // SAFETY: by this function's contract.
    unsafe { put(answer, make) }
}

fn answer_options(options: Option<&CAnswerOptions>) -> AnswerOptions {
    let defaults = SamplerSettings::default();
    AnswerOptions {
        max_tokens: options.map(|o| o.max_tokens).filter(|n| *n != 0),
        stops: Vec::new(),
        sampler: match options {
            None => defaults,
            Some(options) => SamplerSettings {
                temperature: options.temperature,
                seed: Some(options.seed),
                ..defaults
            },
        },
        ..AnswerOptions::default()
    }
}

/// As `puna.h` says.
///
/// # Safety
/// As `puna.h` says: pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_answer_next(
    answer: *mut CAnswer,
    piece: *mut *const c_char,
    length: *mut usize,
) -> Status {
    status(|| {
        // SAFETY: by this function's contract.
        let (answer, piece, length) = unsafe { (of(answer)?, piece.as_mut(), length.as_mut()) };
        let (Some(piece), Some(length)) = (piece, length) else {
            return Err(refuse("the place for a piece is null"));
        };
        (*piece, *length) = (ptr::null(), 0);
        if let Some(next) = answer.stream.next()? {
            let mut kept = lock(&answer.piece);
            *length = next.len();
            *kept = next.into_bytes();
            kept.push(0);
            *piece = kept.as_ptr().cast();
        }
        Ok(())
    })
}

/// As `puna.h` says.
///
/// # Safety
/// `answer` is null or was opened and not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_answer_cancel(answer: *const CAnswer) {
    // SAFETY: by this function's contract.
    if let Some(answer) = unsafe { answer.as_ref() } {
        answer.stream.cancel();
    }
}

/// As `puna.h` says.
///
/// # Safety
/// `answer` is null or was opened, and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn puna_answer_close(answer: *mut CAnswer) {
    // SAFETY: by this function's contract.
    unsafe { close(answer) }
}

/// As `puna.h` says.
#[unsafe(no_mangle)]
pub extern "C" fn puna_error_text() -> *const c_char {
    ERROR.with_borrow(|text| text.as_ptr())
}
