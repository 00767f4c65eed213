//! Writing a layer: tar, then gzip, hashed on the way.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use anyhow::{Context as _, Result};
use aws_lc_rs::digest::{self, SHA256};
use flate2::{GzBuilder, write::GzEncoder};

use super::spec::{Compression, Content, Item, LayerSpec};

/// What was written.
pub(crate) struct Written {
    /// Digest of the blob.
    pub(crate) digest: String,
    pub(crate) size: u64,
    /// Digest of the tar in it, which the configuration names.
    pub(crate) diff_id: String,
}

/// Writes `spec` as a blob to `path`.
pub(crate) fn write(spec: &LayerSpec, path: &Path) -> Result<Written> {
    let file = Hashing::new(BufWriter::with_capacity(1 << 20, File::create(path)?));
    let packed = match spec.compression {
        Compression::Gzip => Packed::Gzip(gzip(file, 6)),
        Compression::Stored => Packed::Gzip(gzip(file, 0)),
        Compression::None => Packed::Bare(file),
    };
    let mut tar = tar::Builder::new(Hashing::new(packed));
    for item in &spec.items {
        append(&mut tar, item).with_context(|| format!("writing {item:?}"))?;
    }
    let (packed, diff_id, _) = tar.into_inner()?.finish();
    let file = match packed {
        Packed::Gzip(encoder) => encoder.finish()?,
        Packed::Bare(file) => file,
    };
    let (mut file, digest, size) = file.finish();
    file.flush()?;
    Ok(Written { digest, size, diff_id })
}

fn gzip<W: Write>(to: W, level: u32) -> GzEncoder<W> {
    // No time and no name in the header: the same spec gives the same bytes.
    GzBuilder::new().mtime(0).write(to, flate2::Compression::new(level))
}

fn append(tar: &mut tar::Builder<impl Write>, item: &Item) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_size(0);
    match item {
        Item::Folder(path, mode) => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(*mode);
            tar.append_data(&mut header, format!("{path}/"), io::empty())?;
        }
        Item::Link(path, target) => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            tar.append_link(&mut header, path, target)?;
        }
        Item::File(path, mode, content) => {
            header.set_mode(*mode);
            match content {
                Content::Bytes(bytes) => {
                    header.set_size(bytes.len() as u64);
                    tar.append_data(&mut header, path, bytes.as_slice())?;
                }
                Content::HostFile(from) => {
                    let file = File::open(from).with_context(|| format!("opening {}", from.display()))?;
                    header.set_size(file.metadata()?.len());
                    tar.append_data(&mut header, path, BufReader::new(file))?;
                }
                Content::Random { seed, size } => {
                    header.set_size(*size);
                    tar.append_data(&mut header, path, Random(*seed).take(*size))?;
                }
            }
        }
    }
    Ok(())
}

enum Packed<W: Write> {
    Gzip(GzEncoder<W>),
    Bare(W),
}

impl<W: Write> Write for Packed<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(w) => w.write(buf),
            Self::Bare(w) => w.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(w) => w.flush(),
            Self::Bare(w) => w.flush(),
        }
    }
}

struct Hashing<W> {
    to: W,
    context: digest::Context,
    size: u64,
}

impl<W: Write> Hashing<W> {
    fn new(to: W) -> Self {
        Self { to, context: digest::Context::new(&SHA256), size: 0 }
    }

    fn finish(self) -> (W, String, u64) {
        (self.to, format!("sha256:{}", hex::encode(self.context.finish().as_ref())), self.size)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let n = self.to.write(buf)?;
        self.context.update(&buf[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Endless bytes by SplitMix64: fast, and beyond what gzip can see through.
struct Random(u64);

impl Read for Random {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        for chunk in buf.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let bytes = (z ^ (z >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(buf.len())
    }
}
