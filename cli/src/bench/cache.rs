//! The page cache: with a file in it, and without.

use std::{fs::File, io, path::Path};

/// Reads the file once, so that the system has it in memory if there is room.
///
/// # Errors
/// Those of reading.
pub fn warm(path: &Path) -> io::Result<()> {
    io::copy(&mut File::open(path)?, &mut io::sink()).map(drop)
}

/// Takes the file out of the page cache, and looks whether it left.
///
/// # Errors
/// Why it could not be dropped.
#[cfg(target_os = "linux")]
pub fn drop_file(path: &Path) -> Result<(), String> {
    use rustix::fs::{Advice, fadvise};
    let dropped = || -> io::Result<bool> {
        let file = File::open(path)?;
        // Pages that are not on the disk yet would stay.
        file.sync_all()?;
        let drop_pages = || fadvise(&file, 0, None, Advice::DontNeed);
        drop_pages()?;
        // Looking at a page must not fetch its neighbours.
        fadvise(&file, 0, None, Advice::Random)?;
        let gone = !holds_any(&file)?;
        drop_pages()?;
        Ok(gone)
    };
    match dropped() {
        Ok(true) => Ok(()),
        Ok(false) => Err("the system keeps it in its page cache".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether one of some pages can be read without waiting for the disk.
#[cfg(target_os = "linux")]
fn holds_any(file: &File) -> io::Result<bool> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    const PLACES: u64 = 16;
    let len = file.metadata()?.len();
    for i in 0..PLACES {
        let mut byte = [0];
        let buffer = &mut [io::IoSliceMut::new(&mut byte)];
        match preadv2(file, buffer, len / PLACES * i, ReadWriteFlags::NOWAIT) {
            Ok(_) => return Ok(true),
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// Takes the file out of the page cache, where there is a way to.
///
/// # Errors
/// Always: this system has no such way.
#[cfg(not(target_os = "linux"))]
pub fn drop_file(_: &Path) -> Result<(), String> {
    Err("this system has no way to ask for that".to_owned())
}
