//! Reading what Prometheus would read.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

/// The samples of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Vec<Sample>);

#[derive(Clone, Debug, PartialEq)]
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Metrics {
    /// Reads the text form.
    ///
    /// # Errors
    /// When a line is none of it; the message has the line.
    pub fn parse(text: &str) -> Result<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| sample(line).with_context(|| format!("no sample: {line}")));
        samples.collect::<Result<_>>().map(Self)
    }

    /// The sum of all samples of this name that have these labels among theirs; `None` if there is none.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |sample: &&Sample| {
            sample.name == name && labels.iter().all(|(n, v)| sample.labels.get(*n).is_some_and(|value| value == v))
        };
        let values: Vec<f64> = self.0.iter().filter(has).map(|sample| sample.value).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }

    /// As [`Self::get`] over all labels, and 0 if there is none: for counters that appear when they first count.
    pub fn sum(&self, name: &str) -> f64 {
        self.get(name, &[]).unwrap_or_default()
    }

    /// The names there are.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.0.iter().map(|sample| sample.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// `name{label="value",…} 1.5 TIME`
fn sample(line: &str) -> Option<Sample> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(label.trim().to_owned(), value);
            rest = after.trim_start_matches(',');
        }
        rest = &rest[1..];
    }
    let value = match rest.split_whitespace().next()? {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        number => number.parse().ok()?,
    };
    Some(Sample { name: name.to_owned(), labels, value })
}

/// A label's value up to its closing quote, unescaped, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let text = concat!(
            "# HELP larder_pulls_total Pulls.\n# TYPE larder_pulls_total counter\n",
            "larder_pulls_total{tier=\"hub\",by=\"a \\\"b\\\", c\"} 2\n",
            "larder_pulls_total{tier=\"agent\",} 3 1795499788000\n",
            "larder_up 1\nlarder_seconds_bucket{le=\"+Inf\"} +Inf\n# EOF\n",
        );
        let metrics = Metrics::parse(text).expect("it is well formed");
        assert_eq!(metrics.sum("larder_pulls_total"), 5.0);
        assert_eq!(metrics.get("larder_pulls_total", &[("by", "a \"b\", c")]), Some(2.0));
        assert_eq!(metrics.get("larder_pulls_total", &[("tier", "peer")]), None);
        assert_eq!(metrics.names(), ["larder_pulls_total", "larder_seconds_bucket", "larder_up"]);
        assert!(Metrics::parse("<html>").is_err());
    }
}
