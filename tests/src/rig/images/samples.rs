//! The images most tests want.

use super::spec::{Content, ImageSpec, Item, LayerSpec};

/// Where Debian's busybox-static puts its one program.
const BUSYBOX: &str = "/usr/bin/busybox";

/// A small image that runs, in three layers: the programs (`sh`, `echo`, `cat`, `sleep`, …, the same in every image),
/// users, and its own name in `/etc/image`. Its index has a second architecture whose programs are fake.
pub fn busybox(repository: &str, tag: &str) -> ImageSpec {
    let programs = Content::HostFile(BUSYBOX.into());
    let fake = Content::Bytes(b"a program for another machine\n".to_vec());
    let own = LayerSpec::text("etc/image", &format!("{repository}:{tag}\n"));
    ImageSpec::new(repository, tag)
        .layer(base(programs))
        .layer(users())
        .layer(own.clone())
        .foreign_layer(base(fake))
        .foreign_layer(users())
        .foreign_layer(own)
        .command(&["sleep", "3600"])
}

/// The same with a layer of `megabytes` MiB that no compression makes smaller.
pub fn big(repository: &str, tag: &str, megabytes: u64) -> ImageSpec {
    busybox(repository, tag).layer(LayerSpec::random("data/big", seed(repository, tag), megabytes << 20))
}

/// The same with so many further layers of a few kilobytes each.
pub fn many_layers(repository: &str, tag: &str, layers: u64) -> ImageSpec {
    let layer = |n| LayerSpec::random(&format!("data/{n}"), seed(repository, tag) + n, 4096 + 100 * n);
    (0..layers).map(layer).fold(busybox(repository, tag), ImageSpec::layer)
}

fn base(programs: Content) -> LayerSpec {
    let links = ["sh", "echo", "cat", "sleep", "ls", "kill", "ps", "wget", "nc", "true", "false", "sha256sum"];
    let items = [
        Item::Folder("bin".to_owned(), 0o755),
        Item::File("bin/busybox".to_owned(), 0o755, programs),
        Item::Folder("tmp".to_owned(), 0o1777),
    ];
    let links = links.map(|name| Item::Link(format!("bin/{name}"), "busybox".to_owned()));
    LayerSpec::new(items.into_iter().chain(links))
}

fn users() -> LayerSpec {
    let text = |path: &str, text: &str| Item::File(path.to_owned(), 0o644, Content::Bytes(text.as_bytes().to_vec()));
    LayerSpec::new([
        Item::Folder("etc".to_owned(), 0o755),
        text("etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"),
        text("etc/group", "root:x:0:\nnogroup:x:65534:\n"),
    ])
}

/// Different images get different random layers, the same one always the same.
fn seed(repository: &str, tag: &str) -> u64 {
    let name = format!("{repository}:{tag}");
    name.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(byte.into()))
}
