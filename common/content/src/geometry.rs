//! The sizes that the engine works with. A daemon uses the default; tests use small ones, so that kilobytes show what
//! gigabytes do.

/// Sizes in bytes, except where said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// Most that one read gives or one write takes. At 256 KiB serving was fastest: larger buffers leave the CPU's
    /// cache, smaller ones cost more calls (measured, `tests/bench`).
    pub(crate) chunk: usize,
    /// How much of a download is held back until all of it is verified. A blob that is no longer than this leaves only
    /// when it is known to be right.
    pub(crate) tail: u64,
    /// Length of the pieces that a blob is checked by.
    pub(crate) piece: u64,
    /// How far ahead of a download a reader may be and still wait for it, rather than have its bytes fetched beside it.
    pub(crate) ahead: u64,
    /// How many ranges may be fetched beside one download at the same time. A number.
    pub(crate) beside: usize,
}

impl Default for Geometry {
    fn default() -> Self {
        Self { chunk: 256 * 1024, tail: 64 * 1024, piece: 4 << 20, ahead: 8 << 20, beside: 4 }
    }
}
