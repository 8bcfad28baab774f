//! `puna models`: what was fetched.

use anyhow::{Result, bail};
use indicatif::DecimalBytes;
use puna_core::{
    gguf::Gguf,
    licence,
    store::{Entry, Store, StoreError},
};
use serde::Serialize;

use crate::{fetch, output::Out, progress};

/// Arguments of `puna models`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Lists the models: name, size, SHA-256, licence
    List {
        /// Prints JSON: [{"name", "path", "bytes", "sha256", "url", "licence"}]
        #[arg(long)]
        json: bool,
    },
    /// Hashes models again, all of them without a name
    Verify {
        /// Names, or first digits of hashes
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// Prints JSON, as list does, with "ok"
        #[arg(long)]
        json: bool,
    },
    /// Removes models
    Remove {
        /// Names, or first digits of hashes
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
}

/// A model, as programs read it.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    entry: Entry,
    /// The licence's id; `null` where the file says none.
    licence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
}

impl Listed {
    fn new(entry: Entry, ok: Option<bool>) -> Self {
        let gguf = Gguf::open(&entry.path).ok();
        let licence = gguf.and_then(|gguf| licence::of(&gguf, Some(&entry.path)));
        Self {
            licence: licence.map(|licence| licence.id),
            entry,
            ok,
        }
    }

    fn line(&self) -> String {
        let Entry {
            name,
            bytes,
            sha256,
            ..
        } = &self.entry;
        let licence = self.licence.as_deref().unwrap_or("no licence named");
        let ok = match self.ok {
            None => "",
            Some(true) => "  ok",
            Some(false) => "  BROKEN",
        };
        format!("{name}  {}  {sha256}  {licence}{ok}", DecimalBytes(*bytes))
    }
}

/// Does as it was asked.
pub fn run(args: &Args, out: &mut Out) -> Result<()> {
    let store = fetch::store()?;
    match &args.what {
        What::List { json } => {
            let models = store.list()?.into_iter();
            show(
                models.map(|entry| Listed::new(entry, None)).collect(),
                *json,
                out,
            )
        }
        What::Verify { names, json } => verify(&store, names, *json, out),
        What::Remove { names } => {
            for name in names {
                let entry = store.remove(name)?;
                out.line(&format!(
                    "removed {} ({})",
                    entry.name,
                    DecimalBytes(entry.bytes)
                ))?;
            }
            Ok(())
        }
    }
}

fn verify(store: &Store, names: &[String], json: bool, out: &mut Out) -> Result<()> {
    let entries: Vec<Entry> = match names {
        [] => store.list()?,
        names => names
            .iter()
            .map(|name| store.find(name))
            .collect::<Result<_, _>>()?,
    };
    let bar = progress::spinner("hashing");
    let mut models = Vec::new();
    for entry in entries {
        let ok = match store.verify(&entry.sha256) {
            Ok(_) => true,
            Err(StoreError::WrongHash { .. }) => false,
            Err(error) => return Err(error.into()),
        };
        models.push(Listed::new(entry, Some(ok)));
    }
    bar.finish_and_clear();
    let broken: Vec<String> = models
        .iter()
        .filter(|m| m.ok == Some(false))
        .map(|m| m.entry.name.clone())
        .collect();
    show(models, json, out)?;
    if !broken.is_empty() {
        bail!(
            "{}: not the bytes that were fetched; `puna models remove` removes them",
            broken.join(", ")
        );
    }
    Ok(())
}

fn show(models: Vec<Listed>, json: bool, out: &mut Out) -> Result<()> {
    if json {
        return out.json(&models);
    }
    models.iter().try_for_each(|model| out.line(&model.line()))
}
