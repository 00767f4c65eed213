//! Colour, if there is any.

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(in crate::demo) struct Paint {
    on: bool,
}

impl Paint {
    /// For a terminal of which nobody said otherwise (<https://no-color.org>).
    pub(super) fn on(is_terminal: bool) -> Self {
        let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { on: is_terminal && !is_unwanted }
    }

    pub(in crate::demo) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(in crate::demo) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(in crate::demo) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(in crate::demo) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(in crate::demo) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn is_on(self) -> bool {
        self.on
    }
}
