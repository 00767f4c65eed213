//! How much of a disk, as an operator says it: in bytes, or as a part of the whole. Pure.

use std::{fmt, io, path::Path, str::FromStr};

use crate::bounds::FileSystem;

/// An amount of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many bytes.
    Bytes(u64),
    /// This part of the file system, in percent of its size; at most 100.
    Percent(u8),
}

/// Why a text is no amount of a disk. Its `Display` is what to write instead, and repeats nothing of the text but digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadShare {
    /// It does not begin with a number.
    #[error("write it like 50GiB, 200GB or 10%")]
    Form,
    /// Its number has a fraction.
    #[error("write a whole number, in a smaller unit if need be: 1536GiB for 1.5TiB")]
    Fraction,
    /// `50G` is 1000 or 1024 times `50M`, depending on whom one asks.
    #[error("write {0}{1}iB (units of 1024) or {0}{1}B (units of 1000)")]
    Ambiguous(u64, char),
    /// Behind the number stands something else.
    #[error("the unit is none of B, KiB, MiB, GiB, TiB, KB, MB, GB, TB and %")]
    Unit,
    /// More than everything.
    #[error("a disk has no more than 100%")]
    OverFull,
    /// More than a `u64` of bytes.
    #[error("no disk is as large as that")]
    TooLarge,
}

/// Longer names of bytes. Read in any case: a bit is no unit of a disk.
const UNITS: [(&str, u64); 8] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

// === impl Share ===

impl Share {
    /// How much that is of `whole`.
    pub fn of(self, whole: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => {
                let part = u128::from(whole) * u128::from(percent) / 100;
                u64::try_from(part).unwrap_or(u64::MAX)
            }
        }
    }

    /// How much that is of the file system that holds the folder `root`, or will when it is made.
    pub fn resolve(self, root: &Path) -> io::Result<u64> {
        Ok(self.of(FileSystem::of(root)?.size))
    }

    /// Whether it is nothing, of whatever disk.
    pub fn is_nothing(self) -> bool {
        matches!(self, Self::Bytes(0) | Self::Percent(0))
    }

    /// Whether it is everything, of whatever disk.
    pub fn is_everything(self) -> bool {
        matches!(self, Self::Percent(100..))
    }
}

impl FromStr for Share {
    type Err = BadShare;

    /// Reads `50GiB`, `200 GB`, `1048576`, `10%`.
    fn from_str(text: &str) -> Result<Self, BadShare> {
        let text = text.trim();
        let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
        if number.is_empty() {
            return Err(BadShare::Form);
        }
        let number: u64 = number.parse().map_err(|_| BadShare::TooLarge)?;
        let unit = unit.trim_start();
        let factor = match unit {
            "%" => {
                let percent = u8::try_from(number).ok().filter(|percent| *percent <= 100);
                return percent.map(Self::Percent).ok_or(BadShare::OverFull);
            }
            "" | "B" | "b" => 1,
            _ => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(|| misread(number, unit))?.1,
        };
        number.checked_mul(factor).map(Self::Bytes).ok_or(BadShare::TooLarge)
    }
}

fn misread(number: u64, unit: &str) -> BadShare {
    let letter = unit.chars().next().map(|letter| letter.to_ascii_uppercase());
    let rest = unit.get(1..).unwrap_or_default();
    match letter {
        Some('.' | ',') => BadShare::Fraction,
        Some(letter @ ('K' | 'M' | 'G' | 'T')) if rest.is_empty() || rest.eq_ignore_ascii_case("i") => {
            BadShare::Ambiguous(number, letter)
        }
        _ => BadShare::Unit,
    }
}

impl fmt::Display for Share {
    /// In the unit that needs the smallest whole number; what is written can be read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Bytes(bytes) => {
                let whole = UNITS.iter().filter(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
                match whole.max_by_key(|(_, factor)| *factor) {
                    Some((name, factor)) => write!(f, "{}{name}", bytes / factor),
                    None => write!(f, "{bytes}"),
                }
            }
        }
    }
}

/// A number of bytes for people: three digits and a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About(pub u64);

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = UNITS.iter().filter(|(name, factor)| name.ends_with("iB") && self.0 >= *factor);
        match binary.max_by_key(|(_, factor)| *factor) {
            // An f64 has digits enough for three.
            Some((name, factor)) => {
                let amount = self.0 as f64 / *factor as f64;
                write!(f, "{amount:.*} {name}", if amount < 10.0 { 2 } else { usize::from(amount < 100.0) })
            }
            None => write!(f, "{} bytes", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_operators_write() {
        for (text, share) in [
            ("50GiB", Share::Bytes(50 << 30)),
            ("200GB", Share::Bytes(200_000_000_000)),
            ("1TiB", Share::Bytes(1 << 40)),
            ("512MiB", Share::Bytes(512 << 20)),
            (" 64 kib ", Share::Bytes(64 << 10)),
            ("7kb", Share::Bytes(7000)),
            ("1048576", Share::Bytes(1 << 20)),
            ("12B", Share::Bytes(12)),
            ("0", Share::Bytes(0)),
            ("10%", Share::Percent(10)),
            ("100 %", Share::Percent(100)),
            ("0%", Share::Percent(0)),
        ] {
            assert_eq!(text.parse(), Ok(share), "{text}");
        }
    }

    #[test]
    fn says_what_to_write_instead() {
        for (text, why) in [
            ("", BadShare::Form),
            ("all", BadShare::Form),
            ("-5GiB", BadShare::Form),
            ("GiB", BadShare::Form),
            ("%", BadShare::Form),
            ("1.5TiB", BadShare::Fraction),
            ("7,5%", BadShare::Fraction),
            ("50G", BadShare::Ambiguous(50, 'G')),
            ("50gi", BadShare::Ambiguous(50, 'G')),
            ("2t", BadShare::Ambiguous(2, 'T')),
            ("50 GiBi", BadShare::Unit),
            ("50Gé", BadShare::Unit),
            ("50é", BadShare::Unit),
            ("10 percent", BadShare::Unit),
            ("10%%", BadShare::Unit),
            ("101%", BadShare::OverFull),
            ("300%", BadShare::OverFull),
            ("99999999999999999999", BadShare::TooLarge),
            ("99999999TiB", BadShare::TooLarge),
        ] {
            assert_eq!(text.parse::<Share>(), Err(why), "{text}");
        }
        assert_eq!(BadShare::Ambiguous(50, 'G').to_string(), "write 50GiB (units of 1024) or 50GB (units of 1000)");
    }

    #[test]
    fn is_shown_in_the_unit_that_fits() {
        for text in ["0", "1", "1023", "1KiB", "1KB", "50GiB", "200GB", "1536GiB", "10%", "100%", "0%"] {
            assert_eq!(text.parse::<Share>().map(|share| share.to_string()).as_deref(), Ok(text));
        }
        for (bytes, shown) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.00 KiB"),
            (53_687_091_200, "50.0 GiB"),
            (27_058_293_760, "25.2 GiB"),
            (230 << 30, "230 GiB"),
            (u64::MAX, "16777216 TiB"),
        ] {
            assert_eq!(About(bytes).to_string(), shown);
        }
    }

    #[test]
    fn a_part_is_of_the_file_system_that_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let whole = Share::Percent(100).resolve(folder.path()).unwrap();
        assert!(whole > 0);
        assert_eq!(Share::Percent(10).resolve(&folder.path().join("not/made/yet")).unwrap(), whole / 10);
        assert_eq!(Share::Bytes(7).resolve(folder.path()).unwrap(), 7);
        assert_eq!((Share::Percent(50).of(u64::MAX), Share::Percent(33).of(10)), (u64::MAX / 2, 3));
        assert!(Share::Percent(0).is_nothing() && !Share::Percent(0).is_everything());
        assert!(Share::Percent(100).is_everything() && !Share::Bytes(u64::MAX).is_everything());
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read(bytes in any::<u64>(), scale in 0_u32..7, percent in 0_u8..=100) {
            let bytes = (bytes >> 32) * 1000_u64.pow(scale / 2);
            for share in [Share::Bytes(bytes), Share::Bytes(bytes << 3), Share::Percent(percent)] {
                prop_assert_eq!(share.to_string().parse(), Ok(share));
            }
        }

        #[test]
        fn any_text_gets_an_answer(text in any::<String>()) {
            let _ = text.parse::<Share>();
        }
    }
}
