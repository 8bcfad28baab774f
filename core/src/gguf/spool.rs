//! A model from where nothing can be mapped: copied, once, into a file that lives as long as its mapping.

use std::{
    fs::{File, OpenOptions, remove_file},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use super::{GgufError, Map};

/// Bytes that are asked for at once.
const PIECE: u64 = 1 << 20;

impl Map {
    /// Copies `length` bytes into a file without a name in `folder`, and maps that: its pages can be dropped and
    /// read again, which those of memory cannot. `read(offset, n)` gives at most `n` bytes from `offset` on, and at
    /// least one.
    ///
    /// # Errors
    /// [`GgufError::Io`] for what `read` or the system says.
    pub fn spool(
        folder: &Path,
        length: u64,
        mut read: impl FnMut(u64, u32) -> io::Result<Vec<u8>>,
    ) -> Result<Self, GgufError> {
        let failed = |doing| {
            move |source| GgufError::Io {
                doing,
                path: PathBuf::from(folder),
                source,
            }
        };
        let mut file = unnamed(folder).map_err(failed("make a file in"))?;
        let mut done = 0;
        while done < length {
            let wanted = PIECE.min(length - done);
            let piece = read(done, wanted as u32).map_err(failed("copy into"))?;
            let had = piece.len() as u64;
            if had == 0 || had > wanted {
                let text = format!("{had} bytes came for {wanted} at byte {done}");
                return Err(failed("copy into")(io::Error::other(text)));
            }
            file.write_all(&piece).map_err(failed("write into"))?;
            done += had;
        }
        Self::from_fd(file, 0, length)
    }
}

/// A file that is gone when it is closed.
fn unnamed(folder: &Path) -> io::Result<File> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "puna-{}-{}.gguf",
        std::process::id(),
        COUNT.fetch_add(1, Relaxed)
    );
    let path = folder.join(name);
    // What a process of this number left behind when it was killed.
    match remove_file(&path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true);
    #[cfg(windows)]
    {
        use std::os::windows::fs::OpenOptionsExt;
        const FILE_FLAG_DELETE_ON_CLOSE: u32 = 0x0400_0000;
        options.custom_flags(FILE_FLAG_DELETE_ON_CLOSE);
    }
    let file = options.open(&path)?;
    #[cfg(not(windows))]
    remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_in_pieces_and_the_file_has_no_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes: Vec<u8> = (0..2_500_000_u32).map(|i| (i % 251) as u8).collect();
        let mut most = 0;
        let map = Map::spool(folder.path(), bytes.len() as u64, |at, n| {
            most = most.max(n);
            // Less than was asked for is fine.
            let at = at as usize;
            let end = bytes.len().min(at + 900_000.min(n as usize));
            Ok(bytes[at..end].to_vec())
        })
        .expect("it is copied");
        assert_eq!(&map[..], &bytes[..]);
        assert_eq!(u64::from(most), PIECE);
        #[cfg(unix)]
        assert_eq!(std::fs::read_dir(folder.path()).expect("it").count(), 0);
    }

    #[test]
    fn what_the_source_says_is_the_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let failing = |_, _| Err(io::Error::other("gone"));
        let error = Map::spool(folder.path(), 10, failing).expect_err("it failed");
        assert!(error.to_string().ends_with("gone"), "{error}");
        for wrong in [0, 11] {
            let error = Map::spool(folder.path(), 10, |_, _| Ok(vec![0; wrong]));
            assert!(error.is_err(), "{wrong} bytes");
        }
    }
}
