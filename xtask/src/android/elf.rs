//! What a shared library's file says of itself.

use anyhow::{Context, Result};
use object::elf::{self, FileHeader64};
use object::read::elf::{Dyn, ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol};

/// See the [module](self).
pub struct Library {
    pub is_arm64_shared: bool,
    /// Libraries that it is loaded with.
    pub needed: Vec<String>,
    /// Of each segment that is loaded.
    pub alignments: Vec<u64>,
    pub has_text_relocations: bool,
    /// Names that others may use, sorted.
    pub exports: Vec<String>,
    /// Names that it uses of others, sorted.
    pub imports: Vec<String>,
}

impl Library {
    /// Reads an ELF file.
    ///
    /// # Errors
    /// It is none, or its tables are damaged.
    pub fn read(file: &[u8]) -> Result<Self> {
        let elf = ElfFile64::<Endianness>::parse(file).context("no 64-bit ELF")?;
        let (header, endian): (&FileHeader64<Endianness>, _) = (elf.elf_header(), elf.endian());
        let mut library = Self {
            is_arm64_shared: header.e_machine(endian) == elf::EM_AARCH64
                && header.e_type(endian) == elf::ET_DYN,
            needed: Vec::new(),
            alignments: Vec::new(),
            has_text_relocations: false,
            exports: Vec::new(),
            imports: Vec::new(),
        };
        let sections = header.sections(endian, file)?;
        for segment in header.program_headers(endian, file)? {
            if segment.p_type(endian) == elf::PT_LOAD {
                library.alignments.push(segment.p_align(endian));
            }
        }
        let (dynamic, strings) = sections
            .dynamic(endian, file)?
            .context("it has no dynamic section")?;
        let strings = sections.strings(endian, file, strings)?;
        for entry in dynamic {
            let tag = entry.d_tag(endian);
            if tag == elf::DT_NEEDED {
                let name = entry.string(endian, strings)?;
                library.needed.push(String::from_utf8(name.to_vec())?);
            }
            let flags = entry.d_val(endian);
            library.has_text_relocations |=
                tag == elf::DT_TEXTREL || tag == elf::DT_FLAGS && flags & elf::DF_TEXTREL.0 != 0;
        }
        for symbol in elf.dynamic_symbols() {
            let name = symbol.name()?.to_owned();
            if symbol.is_undefined() {
                library.imports.push(name);
            } else {
                library.exports.push(name);
            }
        }
        library.exports.sort();
        library.imports.sort();
        Ok(library)
    }
}
