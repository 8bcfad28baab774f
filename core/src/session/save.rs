//! A session on disk, and back.

use std::path::Path;

use byteorder::{ByteOrder, LittleEndian};

use super::{Session, SessionOptions};
use crate::{
    cancel::Cancel,
    kv_cache::KvCache,
    model::Model,
    sampler::SamplerState,
    saved::{
        Container, Kind, Sections, StateError,
        fields::{Reader, Writer, check_identity, identity, read_sampler, write_sampler},
        rows,
    },
    tokenizer::TokenId,
};

/// What a state may hold beside the session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub sampler: Option<SamplerState>,
    pub chat: Option<Vec<u8>>,
}

impl Session {
    /// Saves the tokens, their keys and values, and the logits to a file that replaces `path` whole, or
    /// not at all.
    ///
    /// # Errors
    /// [`StateError::Io`], and [`StateError::Session`] with [`SessionError::Damaged`](super::SessionError::Damaged).
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        self.save_with(path, &Extras::default())
    }

    /// As [`save`](Self::save), with the state of the sampler that makes text from this session.
    ///
    /// # Errors
    /// [`StateError::Io`], and [`StateError::Session`] with [`SessionError::Damaged`](super::SessionError::Damaged).
    pub fn save_with_sampler(&self, path: &Path, sampler: &SamplerState) -> Result<(), StateError> {
        let extras = Extras {
            sampler: Some(sampler.clone()),
            chat: None,
        };
        self.save_with(path, &extras)
    }

    pub(crate) fn save_with(&self, path: &Path, extras: &Extras) -> Result<(), StateError> {
        self.check_rows(&Cancel::new())?;
        let model = identity(&self.model, self.kv.ty());
        let mut tokens = Writer::default();
        tokens.tokens(&self.tokens);
        let mut logits = vec![0; 4 * self.logits.len()];
        LittleEndian::write_f32_into(&self.logits, &mut logits);
        let sampler = extras.sampler.as_ref().map(write_sampler);
        let mut sections = Sections::default();
        sections.add(Kind::Model, [&model[..]]);
        sections.add(Kind::Tokens, [&tokens.0[..]]);
        sections.add(Kind::Logits, [&logits[..]]);
        if let Some(sampler) = &sampler {
            sections.add(Kind::Sampler, [&sampler[..]]);
        }
        if let Some(chat) = &extras.chat {
            sections.add(Kind::Chat, [&chat[..]]);
        }
        sections.add(Kind::Rows, rows::slices(&self.kv, 0..self.tokens.len()));
        sections.save(path)
    }

    /// The session that [`save`](Self::save) wrote: the same tokens, keys, values and logits, bit for bit.
    /// Nothing is computed. The file is mapped and its checksums are compared; its pages are copied only when
    /// the session writes to them. The file may be replaced or removed meanwhile, but not be cut short.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn restore(
        model: &Model,
        path: &Path,
        options: &SessionOptions,
    ) -> Result<Self, StateError> {
        Ok(Self::restore_with(model, path, options)?.0)
    }

    /// As [`restore`](Self::restore), with the sampler's state, if one was saved.
    ///
    /// # Errors
    /// [`StateError`].
    pub fn restore_with_sampler(
        model: &Model,
        path: &Path,
        options: &SessionOptions,
    ) -> Result<(Self, Option<SamplerState>), StateError> {
        let (session, extras) = Self::restore_with(model, path, options)?;
        Ok((session, extras.sampler))
    }

    pub(crate) fn restore_with(
        model: &Model,
        path: &Path,
        options: &SessionOptions,
    ) -> Result<(Self, Extras), StateError> {
        let file = Container::open(path)?;
        check_identity(file.section(Kind::Model)?, model, options.kv)?;
        let n_vocab = model.config().n_vocab;
        let tokens = file.section(Kind::Tokens)?;
        let n = tokens.len() / 4;
        let mut fields = Reader(tokens);
        let tokens = fields.tokens(n, n_vocab)?;
        fields.end()?;
        let logits = file.section(Kind::Logits)?;
        let place = file.place(Kind::Rows)?;
        let sampler = file.optional(Kind::Sampler);
        let sampler = sampler
            .map(|bytes| read_sampler(bytes, n_vocab))
            .transpose()?;
        let chat = file.optional(Kind::Chat).map(<[u8]>::to_vec);

        let mut session = Self::new(model, options)?;
        let n_ctx = session.n_ctx();
        if n > n_ctx {
            return Err(StateError::TooLong { tokens: n, n_ctx });
        }
        let rows_bytes = n * session.kv.layout().token_bytes();
        if place.len() != rows_bytes || logits.len() != 4 * n_vocab {
            return Err(StateError::Corrupt {
                what: "a part has the length of another model's",
            });
        }
        LittleEndian::read_f32_into(logits, &mut session.logits);
        if session.logits.iter().any(|logit| !logit.is_finite()) {
            return Err(StateError::Corrupt {
                what: "a logit is not finite",
            });
        }
        rows::map(&mut session.kv, file.map(), place.start, n)?;
        session.tokens.extend_from_slice(&tokens);
        Ok((session, Extras { sampler, chat }))
    }

    /// Gives an empty session `tokens`, whose rows the cache has already. The logits stay zeros.
    pub(crate) fn adopt(&mut self, tokens: &[TokenId]) {
        self.truncate(0);
        self.tokens.extend_from_slice(tokens);
    }

    /// The cache, to be filled from elsewhere.
    pub(crate) const fn cache_mut(&mut self) -> &mut KvCache {
        &mut self.kv
    }
}
