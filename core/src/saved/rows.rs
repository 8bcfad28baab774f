//! Rows of the cache in a file: whole pages as they are in memory, parts of a page room by room.

use std::{ops::Range, sync::Arc};

use super::StateError;
use crate::{
    gguf::Map,
    kv_cache::{KvCache, NoRoom, PAGE, by_page},
    session::SessionError,
};

/// The rows of `positions`, as slices to be written one after the other.
pub(crate) fn slices(kv: &KvCache, positions: Range<usize>) -> impl Iterator<Item = &[u8]> {
    let layout = kv.layout();
    by_page(positions).flat_map(move |part| {
        let page = kv.page(part.start / PAGE).expect("rows were written");
        let rooms = page.chunks_exact(layout.room_bytes());
        rooms.map(move |room| &room[layout.rows(&part)])
    })
}

/// Puts the rows of `positions` from `bytes`, which [`slices`] made, into the cache; those before
/// `positions.start` stay, and those from `limit` on are left out.
pub(crate) fn copy(
    kv: &mut KvCache,
    positions: Range<usize>,
    limit: usize,
    mut bytes: &[u8],
) -> Result<(), StateError> {
    let layout = kv.layout();
    for part in by_page(positions) {
        let (rows, rest) = bytes.split_at(part.len() * layout.token_bytes());
        bytes = rest;
        let wanted = part.start..part.end.min(limit);
        if wanted.is_empty() {
            break;
        }
        kv.make_room(wanted.clone()).map_err(no_memory)?;
        let rooms = kv
            .page_mut(part.start / PAGE)
            .chunks_exact_mut(layout.room_bytes());
        let rows = rows.chunks_exact(part.len() * layout.row_bytes);
        for (room, rows) in rooms.zip(rows) {
            let rows = &rows[..wanted.len() * layout.row_bytes];
            room[layout.rows(&wanted)].copy_from_slice(rows);
        }
    }
    Ok(())
}

/// Gives the empty cache the first `n` positions, whose rows [`slices`] wrote into `map` from byte `start`
/// on. Whole pages stay in the map; the last, if it is not whole, is copied.
pub(crate) fn map(
    kv: &mut KvCache,
    map: &Arc<Map>,
    start: usize,
    n: usize,
) -> Result<(), StateError> {
    let page_bytes = kv.layout().page_bytes();
    let n_whole = n / PAGE;
    for i in 0..n_whole {
        kv.push_mapped(map, start + i * page_bytes);
    }
    copy(
        kv,
        n_whole * PAGE..n,
        n,
        &map[start + n_whole * page_bytes..],
    )
}

fn no_memory(NoRoom { bytes }: NoRoom) -> StateError {
    SessionError::NoMemory { bytes }.into()
}
