//! A saved state: a header, and sections with a checksum each.
//!
//! ```text
//! magic "PUNASAVE", version u32, n_sections u32
//! for each section: kind u32, CRC-32 u32, start u64, length u64
//! CRC-32 of all this, u32
//! the sections, in order, each at the next multiple of 64; between them zeros
//! ```

use std::{
    io::{self, BufWriter, Write},
    ops::Range,
    path::Path,
    sync::Arc,
};

use byteorder::{LittleEndian, WriteBytesExt};
use crc32fast::Hasher;

use super::{StateError, fields::Reader};
use crate::gguf::Map;

const MAGIC: &[u8; 8] = b"PUNASAVE";
/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// Where sections start: a multiple of a cache line.
const ALIGN: usize = 64;
/// Magic, version, number of sections.
const FIXED: usize = 16;
/// An entry of the table.
const ENTRY: usize = 24;

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// [`identity`](super::fields::identity).
    Model = 1,
    /// The session's tokens.
    Tokens = 2,
    /// `n_vocab` numbers in `f32`.
    Logits = 3,
    /// A sampler's memory.
    Sampler = 4,
    /// Messages, and what the tokens spell.
    Chat = 5,
    /// Keys and values.
    Rows = 6,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Model,
        Self::Tokens,
        Self::Logits,
        Self::Sampler,
        Self::Chat,
        Self::Rows,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Model => "model's identity",
            Self::Tokens => "tokens",
            Self::Logits => "logits",
            Self::Sampler => "sampler",
            Self::Chat => "conversation",
            Self::Rows => "KV cache",
        }
    }
}

/// Sections to be written, each as slices that follow each other.
#[derive(Debug, Default)]
pub(crate) struct Sections<'a>(Vec<(Kind, Vec<&'a [u8]>)>);

impl<'a> Sections<'a> {
    pub fn add(&mut self, kind: Kind, slices: impl IntoIterator<Item = &'a [u8]>) {
        self.0.push((kind, slices.into_iter().collect()));
    }

    /// Writes a file that replaces `path` whole, or not at all.
    pub fn save(&self, path: &Path) -> Result<(), StateError> {
        replace(path, |out| self.write(out)).map(drop)
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut header = Vec::new();
        header.extend_from_slice(MAGIC);
        header.write_u32::<LittleEndian>(VERSION)?;
        header.write_u32::<LittleEndian>(self.0.len() as u32)?;
        let mut at = FIXED + self.0.len() * ENTRY + 4;
        for (kind, slices) in &self.0 {
            at = at.next_multiple_of(ALIGN);
            let mut crc = Hasher::new();
            slices.iter().for_each(|slice| crc.update(slice));
            let len: usize = slices.iter().map(|slice| slice.len()).sum();
            header.write_u32::<LittleEndian>(*kind as u32)?;
            header.write_u32::<LittleEndian>(crc.finalize())?;
            header.write_u64::<LittleEndian>(at as u64)?;
            header.write_u64::<LittleEndian>(len as u64)?;
            at += len;
        }
        header.write_u32::<LittleEndian>(crc32fast::hash(&header))?;
        out.write_all(&header)?;
        let mut at = header.len();
        for (_, slices) in &self.0 {
            let start = at.next_multiple_of(ALIGN);
            out.write_all(&[0; ALIGN][..start - at])?;
            at = start;
            for slice in slices {
                out.write_all(slice)?;
                at += slice.len();
            }
        }
        Ok(())
    }
}

/// What the names of files begin with that are not in their place yet.
const UNFINISHED: &str = ".puna-unfinished-";

/// Removes what processes left in `dir` that were killed within [`replace`]. No other may be writing there.
pub(crate) fn sweep(dir: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        if entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(UNFINISHED.as_bytes())
        {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Writes a file that replaces `path` whole, or not at all: what the system has promised to keep is either.
/// Returns the open file.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<std::fs::File, StateError> {
    let failed = |source| StateError::Io {
        doing: "write",
        path: path.to_path_buf(),
        source,
    };
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(dir);
    let file = file.map_err(failed)?;
    let mut out = BufWriter::new(file);
    write(&mut out).map_err(failed)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    let file = file.persist(path).map_err(|e| failed(e.error))?;
    sync_dir(dir).map_err(failed)?;
    Ok(file)
}

/// Makes the names in a folder lasting.
fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) {
        std::fs::File::open(dir)?.sync_all()
    } else {
        Ok(())
    }
}

/// A saved state whose checksums are right.
#[derive(Debug)]
pub(crate) struct Container {
    map: Arc<Map>,
    sections: Vec<(Kind, Range<usize>)>,
}

impl Container {
    /// Maps a file and checks every byte of it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Self::read(Map::open(path).map_err(StateError::Map)?)
    }

    fn read(map: Map) -> Result<Self, StateError> {
        let had = map.len() as u64;
        let truncated = |wanted: usize| StateError::Truncated {
            wanted: wanted as u64,
            had,
        };
        if map.get(..MAGIC.len()) != Some(MAGIC) {
            return Err(StateError::NotAState {
                wanted: "a saved state",
            });
        }
        let mut head = Reader(map.get(MAGIC.len()..FIXED).ok_or(truncated(FIXED))?);
        let (version, n) = (head.u32()?, head.count()?);
        if version != VERSION {
            return Err(StateError::Version {
                had: version,
                wanted: VERSION,
            });
        }
        if n > Kind::ALL.len() {
            return Err(StateError::Corrupt {
                what: "more sections than there are kinds",
            });
        }
        let table_end = FIXED + n * ENTRY;
        let head = map.get(..table_end + 4).ok_or(truncated(table_end + 4))?;
        if Reader(&head[table_end..]).u32()? != crc32fast::hash(&head[..table_end]) {
            return Err(StateError::Checksum { part: "header" });
        }
        let mut table = Reader(&head[FIXED..table_end]);
        let (mut sections, mut at) = (Vec::with_capacity(n), table_end + 4);
        for _ in 0..n {
            let (kind, crc, start, len) = (table.u32()?, table.u32()?, table.u64()?, table.u64()?);
            let kind = Kind::ALL.into_iter().find(|k| *k as u32 == kind);
            let kind = kind.ok_or(StateError::Corrupt {
                what: "a section of an unknown kind",
            })?;
            let place = usize::try_from(start).ok().zip(usize::try_from(len).ok());
            let place = place.and_then(|(start, len)| Some(start..start.checked_add(len)?));
            let place = place.filter(|place| place.start == at.next_multiple_of(ALIGN));
            let place = place.ok_or(StateError::Corrupt {
                what: "a section in a wrong place",
            })?;
            let bytes = map.get(at..place.end).ok_or(truncated(place.end))?;
            let (gap, bytes) = bytes.split_at(place.start - at);
            if gap.iter().any(|byte| *byte != 0) || crc32fast::hash(bytes) != crc {
                return Err(StateError::Checksum { part: kind.name() });
            }
            at = place.end;
            sections.push((kind, place));
        }
        if at != map.len() {
            return Err(StateError::Corrupt {
                what: "bytes after the last section",
            });
        }
        Ok(Self {
            map: Arc::new(map),
            sections,
        })
    }

    /// The map, in which sections have places.
    pub const fn map(&self) -> &Arc<Map> {
        &self.map
    }

    /// The place of a section.
    pub fn place(&self, kind: Kind) -> Result<Range<usize>, StateError> {
        let found = self.sections.iter().find(|(k, _)| *k == kind);
        let (_, place) = found.ok_or(StateError::Missing { part: kind.name() })?;
        Ok(place.clone())
    }

    /// The bytes of a section.
    pub fn section(&self, kind: Kind) -> Result<&[u8], StateError> {
        Ok(&self.map[self.place(kind)?])
    }

    /// The bytes of a section that need not be there.
    pub fn optional(&self, kind: Kind) -> Option<&[u8]> {
        self.section(kind).ok()
    }
}
