//! The journal of a conversation: a file that only grows, by a record a turn.
//!
//! ```text
//! magic "PUNAJRNL", version u32, model's identity, CRC-32 of all this
//! records: magic "TURN", from u32, n_tokens u32, n_meta u32, CRC-32 of the body, CRC-32 of these 20 bytes
//!          body: n_meta bytes: n_tokens tokens, then the conversation's words
//!                the cache's rows of positions from .. n_tokens
//! ```
//!
//! A record has all of the conversation but the rows of earlier positions, which are in earlier records. It is
//! on the disk before the next one is begun, so only the last can be torn, and is then dropped. When a record
//! would make the file more than twice as long as the conversation needs, the file is written anew.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, BufWriter, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use super::record::{Chat, OwnedChat};
use crate::{
    gguf::Map,
    kv_cache::{KvCache, KvType},
    model::Model,
    saved::{
        StateError,
        fields::{IDENTITY, Reader, Writer, check_identity, identity},
        replace, rows, sweep,
    },
    tokenizer::TokenId,
};

/// The journal's file in its folder.
const FILE: &str = "journal.puna";
const MAGIC: &[u8; 8] = b"PUNAJRNL";
const VERSION: u32 = 1;
/// Magic, version, identity, checksum.
const HEADER: usize = 12 + IDENTITY + 4;
const TURN: u32 = u32::from_le_bytes(*b"TURN");
/// What comes before a record's body.
const HEAD: usize = 24;
/// A journal may have this many bytes more than twice what the conversation needs.
const SLACK: u64 = 64 << 10;

/// An open journal. Nobody else has it open.
#[derive(Debug)]
pub(super) struct Journal {
    dir: PathBuf,
    file: File,
    /// Bytes of whole records: what comes after is not part of the journal.
    len: u64,
    /// Tokens of the last record.
    n_tokens: usize,
    header: [u8; HEADER],
    /// Held as long as the journal is open; the system gives it back whatever happens to the process.
    _lock: File,
}

/// What a journal had.
#[derive(Debug)]
pub(super) struct Found {
    pub tokens: Vec<TokenId>,
    pub chat: OwnedChat,
    map: Map,
    /// Positions, and where their rows are; later ones replace earlier ones.
    rows: Vec<(Range<usize>, Range<usize>)>,
}

impl Found {
    /// Puts the rows of all tokens into the cache.
    pub fn fill(&self, kv: &mut KvCache) -> Result<(), StateError> {
        let limit = self.tokens.len();
        self.rows.iter().try_for_each(|(positions, place)| {
            rows::copy(kv, positions.clone(), limit, &self.map[place.clone()])
        })
    }
}

impl Journal {
    /// Opens the journal in `dir`, or a new one; for a cache such as `kv`.
    pub fn open(
        dir: &Path,
        model: &Model,
        kv: &KvCache,
    ) -> Result<(Self, Option<Found>), StateError> {
        std::fs::create_dir_all(dir).map_err(failed("make", dir))?;
        let lock = lock(dir)?;
        sweep(dir).map_err(failed("clean", dir))?;
        let header = header(model, kv.ty());
        let path = dir.join(FILE);
        let found = match path.exists() {
            true => Some(read(&path, model, kv)?),
            false => None,
        };
        let (file, len, found) = match found {
            Some((len, found)) => {
                let file = OpenOptions::new().write(true).open(&path);
                let file = file.map_err(failed("open", &path))?;
                (file, len, found)
            }
            None => {
                let file = replace(&path, |out| out.write_all(&header))?;
                (file, HEADER as u64, None)
            }
        };
        let journal = Self {
            dir: dir.to_path_buf(),
            file,
            len,
            n_tokens: found.as_ref().map_or(0, |found| found.tokens.len()),
            header,
            _lock: lock,
        };
        Ok((journal, found))
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Adds a record, which is on the disk when this returns.
    pub fn append(
        &mut self,
        kv: &KvCache,
        tokens: &[TokenId],
        chat: &Chat<'_>,
    ) -> Result<(), StateError> {
        let from = self.n_tokens.min(kv.dirty_from()).min(tokens.len());
        let record = Record::new(kv, tokens, chat, from);
        let whole = Record::new(kv, tokens, chat, 0);
        let least = HEADER as u64 + whole.len();
        if self.len + record.len() > 2 * least + SLACK {
            return self.rewrite(&whole, tokens.len());
        }
        let (file, len) = (&mut self.file, self.len);
        let written = (|| {
            // What a failed call may have left.
            file.set_len(len)?;
            file.seek(SeekFrom::Start(len))?;
            let mut out = BufWriter::new(&mut *file);
            record.write(&mut out)?;
            out.flush()?;
            drop(out);
            file.sync_data()
        })();
        written.map_err(failed("write", &self.path()))?;
        self.len += record.len();
        self.n_tokens = tokens.len();
        Ok(())
    }

    /// Begins anew with a conversation whose session has no tokens that count.
    pub fn restart(&mut self, chat: &Chat<'_>) -> Result<(), StateError> {
        let record = Record::without_rows(chat);
        self.rewrite(&record, 0)
    }

    /// Replaces the file by one with this record alone.
    fn rewrite(&mut self, record: &Record<'_>, n_tokens: usize) -> Result<(), StateError> {
        let header = self.header;
        self.file = replace(&self.path(), |out| {
            out.write_all(&header)?;
            record.write(out)
        })?;
        self.len = HEADER as u64 + record.len();
        self.n_tokens = n_tokens;
        Ok(())
    }
}

/// The file's first bytes.
fn header(model: &Model, kv: KvType) -> [u8; HEADER] {
    let mut out = Writer::default();
    out.0.extend_from_slice(MAGIC);
    out.u32(VERSION);
    out.0.extend_from_slice(&identity(model, kv));
    out.u32(crc32fast::hash(&out.0));
    out.0.try_into().expect("the parts of a header")
}

/// A record to be written.
struct Record<'a> {
    from: usize,
    n_tokens: usize,
    meta: Vec<u8>,
    rows: Vec<&'a [u8]>,
}

impl<'a> Record<'a> {
    fn new(kv: &'a KvCache, tokens: &[TokenId], chat: &Chat<'_>, from: usize) -> Self {
        let mut meta = Writer::default();
        meta.tokens(tokens);
        chat.write(&mut meta);
        Self {
            from,
            n_tokens: tokens.len(),
            meta: meta.0,
            rows: rows::slices(kv, from..tokens.len()).collect(),
        }
    }

    fn without_rows(chat: &Chat<'_>) -> Self {
        let mut meta = Writer::default();
        chat.write(&mut meta);
        Self {
            from: 0,
            n_tokens: 0,
            meta: meta.0,
            rows: Vec::new(),
        }
    }

    fn len(&self) -> u64 {
        let rows: usize = self.rows.iter().map(|rows| rows.len()).sum();
        (HEAD + self.meta.len() + rows) as u64
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut crc = crc32fast::Hasher::new();
        crc.update(&self.meta);
        self.rows.iter().for_each(|rows| crc.update(rows));
        let mut head = Writer::default();
        head.u32(TURN);
        head.count(self.from);
        head.count(self.n_tokens);
        head.count(self.meta.len());
        head.u32(crc.finalize());
        head.u32(crc32fast::hash(&head.0));
        out.write_all(&head.0)?;
        out.write_all(&self.meta)?;
        self.rows.iter().try_for_each(|rows| out.write_all(rows))
    }
}

/// Reads a journal: the bytes of its whole records, and what they say. Only the last record may be torn.
fn read(path: &Path, model: &Model, kv: &KvCache) -> Result<(u64, Option<Found>), StateError> {
    let map = Map::open(path).map_err(StateError::Map)?;
    let (had, wanted) = (map.len() as u64, HEADER as u64);
    let head = map
        .get(..HEADER)
        .ok_or(StateError::Truncated { wanted, had })?;
    if head[..8] != *MAGIC {
        let wanted = "a conversation's journal";
        return Err(StateError::NotAState { wanted });
    }
    let (fields, crc) = head.split_at(HEADER - 4);
    if Reader(crc).u32()? != crc32fast::hash(fields) {
        return Err(StateError::Checksum { part: "header" });
    }
    let mut fields = Reader(&fields[8..]);
    let version = fields.u32()?;
    if version != VERSION {
        return Err(StateError::Version {
            had: version,
            wanted: VERSION,
        });
    }
    check_identity(fields.0, model, kv.ty())?;

    let (mut at, mut rows, mut last, mut n_before) = (HEADER, Vec::new(), None, 0);
    while let Some(turn) = next(&map[at..], kv.layout().token_bytes())? {
        if turn.positions.start > n_before {
            let what = "a turn that does not go on from the one before";
            return Err(StateError::Corrupt { what });
        }
        n_before = turn.positions.end;
        let body = at + HEAD;
        let end = body + turn.n_body;
        rows.push((turn.positions, body + turn.n_meta..end));
        last = Some(body..body + turn.n_meta);
        at = end;
    }
    let Some(meta) = last else {
        return Ok((at as u64, None));
    };
    let mut fields = Reader(&map[meta]);
    let n_vocab = model.config().n_vocab;
    let tokens = fields.tokens(n_before, n_vocab)?;
    let chat = OwnedChat::read(fields, n_before, n_vocab)?;
    let found = Found {
        tokens,
        chat,
        map,
        rows,
    };
    Ok((at as u64, Some(found)))
}

/// A whole record.
struct Whole {
    positions: Range<usize>,
    n_meta: usize,
    n_body: usize,
}

/// The record that `bytes` begin with; `None` at the end, and where the last record is torn.
fn next(bytes: &[u8], token_bytes: usize) -> Result<Option<Whole>, StateError> {
    let Some((head, rest)) = bytes.split_at_checked(HEAD) else {
        return Ok(None);
    };
    let (fields, crc) = head.split_at(HEAD - 4);
    let mut fields = Reader(fields);
    let (magic, from, n_tokens) = (fields.u32()?, fields.count()?, fields.count()?);
    let (n_meta, body_crc) = (fields.count()?, fields.u32()?);
    if Reader(crc).u32()? != crc32fast::hash(&head[..HEAD - 4]) || magic != TURN {
        return Ok(None);
    }
    let what = "a turn that ends before it begins";
    let n_rows = n_tokens
        .checked_sub(from)
        .ok_or(StateError::Corrupt { what })?;
    let n_body = n_rows
        .checked_mul(token_bytes)
        .and_then(|rows| rows.checked_add(n_meta));
    let Some(n_body) = n_body.filter(|n| *n <= rest.len()) else {
        return Ok(None);
    };
    let (body, after) = rest.split_at(n_body);
    if crc32fast::hash(body) == body_crc {
        return Ok(Some(Whole {
            positions: from..n_tokens,
            n_meta,
            n_body,
        }));
    }
    // The next record was begun, so this one had been on the disk.
    if after.is_empty() {
        Ok(None)
    } else {
        Err(StateError::Checksum { part: "turn" })
    }
}

/// Takes the journal for this process.
fn lock(dir: &Path) -> Result<File, StateError> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse {
            dir: dir.to_path_buf(),
        }),
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => {
            log::warn!("this system locks no files: nothing else may use this journal");
            Ok(file)
        }
        Err(TryLockError::Error(e)) => Err(failed("lock", &path)(e)),
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_path_buf();
    move |source| StateError::Io {
        doing,
        path,
        source,
    }
}
