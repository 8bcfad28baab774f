//! Rows move to earlier positions, where they lie.

use std::ops::Range;

use puna_kernels::dequantize;

use super::{KvCache, NoRoom, PAGE, by_page, head::store, page::Page};
use crate::pool::Pool;

impl KvCache {
    /// Moves the rows of `positions`, which were written, `drop` positions down, and gives every key to `turn`
    /// on its way: `head_dim` numbers. Values stay as they are.
    ///
    /// Pages that the rows move to become the cache's own first; when there is no room for them, no row has
    /// moved.
    pub(crate) fn shift(
        &mut self,
        positions: Range<usize>,
        drop: usize,
        head_dim: usize,
        pool: &Pool,
        turn: impl Fn(&mut [f32]) + Sync,
    ) -> Result<(), NoRoom> {
        let layout = self.layout;
        let to = positions.start - drop..positions.end - drop;
        for part in by_page(to.clone()) {
            // What moves within the page is read there, too.
            self.pages[part.start / PAGE].make_own(layout, PAGE)?;
        }
        self.dirty_from = self.dirty_from.min(to.start);
        for part in by_page(to) {
            // A row comes from this page or a later one, and no row of those has moved yet.
            let (before, later) = self.pages.split_at_mut(part.start / PAGE + 1);
            let page = before.last_mut().expect("the page of a position");
            let rooms = page.own().chunks_exact_mut(layout.room_bytes()).enumerate();
            let later = &*later;
            pool.for_each(rooms, |_, (index, room)| {
                let is_keys = (index / layout.n_head_kv).is_multiple_of(2);
                let mut key = vec![0.0; head_dim];
                for position in part.clone() {
                    let from = position + drop;
                    let pages_on = from / PAGE - position / PAGE;
                    let source = layout.rows(&(from..from + 1));
                    let target = layout.rows(&(position..position + 1));
                    if pages_on == 0 {
                        room.copy_within(source, target.start);
                    } else {
                        let there = Page::bytes(&later[pages_on - 1]);
                        let there = &there[index * layout.room_bytes()..];
                        room[target.clone()].copy_from_slice(&there[source]);
                    }
                    if is_keys {
                        let row = &mut room[target];
                        dequantize(layout.ty, row, &mut key);
                        turn(&mut key);
                        store(layout.ty, &key, row);
                    }
                }
            });
        }
        Ok(())
    }
}
