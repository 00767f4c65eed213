//! Logs: for people on a terminal, JSON for machines. To standard error, a line an event.

use std::io::{self, IsTerminal as _, Write};

use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt::MakeWriter};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
    /// The same with the names that Logstash expects: `@timestamp`, `@version`.
    Logstash,
}

/// What is logged, and how.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The form of a line.
    pub format: Format,
    /// `error`, `warn`, `info`, `debug` or `trace`, or directives as `RUST_LOG` has them.
    pub level: String,
    /// Fields that every line carries.
    pub fields: Vec<(String, String)>,
}

/// Starts logging. Only the first call of a process has an effect.
pub fn init(settings: &Settings) {
    let level = if settings.level.is_empty() { "info" } else { &settings.level };
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into()).parse_lossy(level);
    let writer = Fields::new(settings);
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).log_internal_errors(false);
    let outcome = match settings.format {
        Format::Json | Format::Logstash => {
            builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        Format::Text => builder.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
    };
    // A test that starts two daemons in a process has logs already.
    drop(outcome);
}

/// Puts the configured fields into every line.
#[derive(Debug, Clone)]
struct Fields {
    format: Format,
    text: String,
}

struct Line<'a>(&'a Fields);

impl Fields {
    fn new(settings: &Settings) -> Self {
        let one = |(name, value): &(String, String)| match settings.format {
            Format::Json | Format::Logstash => format!("{}:{},", serde_json::json!(name), serde_json::json!(value)),
            Format::Text => format!(" {name}={value}"),
        };
        Self { format: settings.format, text: settings.fields.iter().map(one).collect() }
    }

    fn line(&self, event: &[u8]) -> Vec<u8> {
        match (self.format, event) {
            (Format::Json, [b'{', rest @ ..]) => [b"{", self.text.as_bytes(), rest].concat(),
            (Format::Logstash, [b'{', b'"', rest @ ..]) => {
                // The timestamp is what the event begins with.
                [b"{\"@version\":\"1\",", self.text.as_bytes(), b"\"@", rest].concat()
            }
            (Format::Text, [rest @ .., b'\n']) => [rest, self.text.as_bytes(), b"\n"].concat(),
            _ => event.to_vec(),
        }
    }
}

impl<'a> MakeWriter<'a> for Fields {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    /// Gets a whole event at a time. Nobody reading the log is no reason to stop: what cannot be written is lost.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut stderr = io::stderr().lock();
        if self.0.text.is_empty() {
            let _ = stderr.write_all(event);
        } else {
            let _ = stderr.write_all(&self.0.line(event));
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_carries_the_fields() {
        let fields = vec![("service".to_owned(), "registry".to_owned()), ("e".to_owned(), "a\"b".to_owned())];
        let json = Settings { format: Format::Json, fields: fields.clone(), ..Settings::default() };
        let line = Fields::new(&json).line(b"{\"level\":\"INFO\"}\n");
        let parsed: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(parsed, serde_json::json!({"service": "registry", "e": "a\"b", "level": "INFO"}));
        let logstash = Settings { format: Format::Logstash, fields: fields.clone(), ..Settings::default() };
        let line = Fields::new(&logstash).line(b"{\"timestamp\":\"t\",\"level\":\"INFO\"}\n");
        let parsed: serde_json::Value = serde_json::from_slice(&line).unwrap();
        let expected = serde_json::json!({"@timestamp": "t", "@version": "1", "service": "registry", "e": "a\"b", "level": "INFO"});
        assert_eq!(parsed, expected);
        let text = Settings { fields, ..Settings::default() };
        assert_eq!(Fields::new(&text).line(b"INFO hello\n"), b"INFO hello service=registry e=a\"b\n");
    }
}
