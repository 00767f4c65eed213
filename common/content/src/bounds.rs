//! What an operator wants of the disk, held against the disk that there is: what the cache may take, and what cannot be
//! or deserves a look. Pure, but for the question how large the disk is.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::{
    room::Capacity,
    share::{About, Share},
};

/// A cache of less bytes than this holds no layer: a unit was forgotten.
const HARDLY_ANYTHING: u64 = 1 << 20;

/// What an operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most that the cache may take. `None`: as much as there is room for.
    pub size: Option<Share>,
    /// What stays free on the file system, whoever takes the rest.
    pub free_floor: Share,
}

/// The file system that a folder lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Its size in bytes.
    pub size: u64,
    /// How many of them ordinary processes may still take.
    pub free: u64,
}

/// Why a cache cannot have the bounds that are wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBounds {
    /// It could keep nothing.
    #[error("a cache of {0} keeps nothing: give it some GiB, or leave its size out for the default")]
    Nothing(Share),
    /// Everything is to stay free.
    #[error(
        "{floor} is to stay free of a file system of {}, which leaves nothing for a cache: lower the free floor, or give \
         the cache a larger disk",
        About(*.size)
    )]
    Floor {
        /// What is to stay free.
        floor: Share,
        /// The size of the file system, in bytes.
        size: u64,
    },
}

/// What works, and deserves a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// The cache may take this many bytes, which is hardly any.
    HardlyAnything(u64),
    /// The cache may take more bytes than the disk can give it.
    Unreachable {
        /// What it may take.
        size: u64,
        /// What it can get at most.
        reachable: u64,
    },
    /// Less is free than is to stay free.
    BelowFloor {
        /// What is free.
        free: u64,
        /// What is to stay free.
        floor: u64,
    },
}

// === impl Bounds ===

impl Bounds {
    /// What they come to on `disk`.
    pub fn on(self, disk: FileSystem) -> Result<Capacity, BadBounds> {
        let (bytes, free_floor) = (self.size.map(|size| size.of(disk.size)), self.free_floor.of(disk.size));
        match self.size {
            Some(size) if bytes == Some(0) => Err(BadBounds::Nothing(size)),
            _ if free_floor >= disk.size => Err(BadBounds::Floor { floor: self.free_floor, size: disk.size }),
            _ => Ok(Capacity { bytes, free_floor }),
        }
    }
}

// === impl FileSystem ===

impl FileSystem {
    /// The file system that holds `folder`, or will when it is made.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let mut there = PathBuf::from(".").join(folder);
        while !there.try_exists()? && there.pop() {}
        let stat = rustix::fs::statvfs(&there)?;
        let bytes = |blocks: u64| blocks.saturating_mul(stat.f_frsize);
        Ok(Self { size: bytes(stat.f_blocks), free: bytes(stat.f_bavail) })
    }

    /// What deserves a look of a cache with this capacity here.
    pub fn concerns(self, capacity: Capacity) -> Vec<Concern> {
        let (reachable, floor) = (self.size.saturating_sub(capacity.free_floor), capacity.free_floor);
        let size = capacity.bytes.and_then(|size| match size {
            ..HARDLY_ANYTHING => Some(Concern::HardlyAnything(size)),
            _ if size > reachable => Some(Concern::Unreachable { size, reachable }),
            _ => None,
        });
        let free = (self.free < floor).then_some(Concern::BelowFloor { free: self.free, floor });
        size.into_iter().chain(free).collect()
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::HardlyAnything(size) => {
                write!(f, "the cache may take {size} bytes, which is less than a layer has: is a unit missing (GiB)?")
            }
            Self::Unreachable { size, reachable } => write!(
                f,
                "the cache may take {}, but beside what is to stay free the disk has {}: it never gets larger than that",
                About(size),
                About(reachable),
            ),
            Self::BelowFloor { free, floor } => write!(
                f,
                "{} of the disk is free, and {} is to stay free: what is cached goes before more is taken, and where that \
                 is not enough, nothing new is kept",
                About(free),
                About(floor),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISK: FileSystem = FileSystem { size: 1000 << 20, free: 500 << 20 };

    fn bounds(size: &str, floor: &str) -> Bounds {
        let size = (!size.is_empty()).then(|| size.parse().unwrap());
        Bounds { size, free_floor: floor.parse().unwrap() }
    }

    #[test]
    fn come_to_bytes_of_the_disk() {
        for (size, floor, bytes, free_floor) in [
            ("", "10%", None, 100 << 20),
            ("20%", "0", Some(200 << 20), 0),
            ("5GiB", "1MiB", Some(5 << 30), 1 << 20),
            ("100%", "99%", Some(1000 << 20), 990 << 20),
            ("1", "0%", Some(1), 0),
        ] {
            assert_eq!(bounds(size, floor).on(DISK), Ok(Capacity { bytes, free_floor }), "{size} {floor}");
        }
    }

    #[test]
    fn that_leave_nothing_are_refused() {
        for (size, floor, needle) in [
            ("0", "10%", "a cache of 0 keeps nothing"),
            ("0%", "10%", "a cache of 0% keeps nothing"),
            ("", "100%", "100% is to stay free of a file system of 1000 MiB"),
            ("1GiB", "2TiB", "2TiB is to stay free of a file system of 1000 MiB"),
        ] {
            let error = bounds(size, floor).on(DISK).unwrap_err().to_string();
            assert!(error.contains(needle), "{error}");
        }
    }

    #[test]
    fn that_deserve_a_look_get_one() {
        for (size, floor, needles) in [
            ("", "10%", vec![]),
            ("90%", "10%", vec![]),
            ("91%", "10%", vec!["may take 910 MiB, but beside what is to stay free the disk has 900 MiB"]),
            ("50", "0", vec!["50 bytes", "is a unit missing"]),
            ("", "60%", vec!["500 MiB of the disk is free, and 600 MiB is to stay free"]),
        ] {
            let concerns = DISK.concerns(bounds(size, floor).on(DISK).unwrap());
            let said = concerns.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            assert_eq!(concerns.is_empty(), needles.is_empty(), "{said}");
            for needle in needles {
                assert!(said.contains(needle), "{said}");
            }
        }
    }
}
