//! Pages of the cache in a file without a name, for as long as the process has no memory to spare for them.
//!
//! Nobody else can open, change or remove such a file, and the system takes it back with the last page that lies
//! in it, or with the process, however that ends. So it has no header: its checksums are in memory.

use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
    sync::Arc,
};

use super::StateError;
use crate::{
    gguf::Map,
    kv_cache::{KvCache, PAGE, Seal},
};

/// Moves the pages of the first `n` positions into a file in `dir`, which is made if there is none, and frees their
/// memory. When that fails, the cache has all its rows still.
pub(crate) fn park(kv: &mut KvCache, n: usize, dir: &Path) -> Result<(), StateError> {
    let parts = kv.release(n);
    if parts.is_empty() {
        return Ok(());
    }
    let failed = |doing| {
        move |source| StateError::Io {
            doing,
            path: dir.to_path_buf(),
            source,
        }
    };
    std::fs::create_dir_all(dir).map_err(failed("make"))?;
    let mut file = tempfile::tempfile_in(dir).map_err(failed("write a file in"))?;
    let seals = write(&mut file, kv, &parts).map_err(failed("write a file in"))?;
    let page_bytes = kv.layout().page_bytes();
    let len = (parts.len() * page_bytes) as u64;
    let map = Arc::new(Map::from_fd(file, 0, len).map_err(StateError::Map)?);
    for (i, (part, seal)) in parts.into_iter().zip(seals).enumerate() {
        kv.park(part.start / PAGE, &map, i * page_bytes, seal);
    }
    Ok(())
}

/// Writes the pages of `parts` one after the other; rows that were not reached stay holes.
fn write(file: &mut File, kv: &KvCache, parts: &[Range<usize>]) -> io::Result<Vec<Seal>> {
    let layout = kv.layout();
    let mut seals = Vec::with_capacity(parts.len());
    for part in parts {
        let page = kv.page(part.start / PAGE).expect("rows were written");
        let hole = (PAGE - part.len()) * layout.row_bytes;
        if hole == 0 {
            file.write_all(page)?;
        } else {
            for rows in layout.first_rows(page, part.len()) {
                file.write_all(rows)?;
                file.seek(SeekFrom::Current(hole as i64))?;
            }
        }
        seals.push(Seal::of(page, layout, part.len()));
    }
    file.set_len((parts.len() * layout.page_bytes()) as u64)?;
    // Until it is on the disk, the system has to keep it in memory.
    file.sync_data()?;
    Ok(seals)
}
