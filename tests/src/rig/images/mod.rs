//! Real images, made here: no engine builds them and no registry is asked for them.
//!
//! An [`ImageSpec`] says what is in an image; [`ImageSpec::build`] makes an [`Image`] out of it, always the same bytes
//! for the same spec. Layers are kept between runs, by default in `target/rig-cache`, so that 200 MB are made once.
//! An image gets into a registry by its protocol or straight into its storage: see
//! [`Registry::push`](super::registry::Registry::push) and [`Registry::load`](super::registry::Registry::load).

mod build;
mod cache;
mod image;
mod layer;
mod push;
mod samples;
mod spec;
mod store;

pub use image::{Blob, Image, Manifest};
pub use samples::{big, busybox, many_layers};
pub use spec::{Compression, Content, Format, ImageSpec, Item, LayerSpec};

pub(crate) use push::push;

/// The digest of `bytes` as registries write it: `sha256:` and 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    format!("sha256:{}", hex::encode(digest.as_ref()))
}
