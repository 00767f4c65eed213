//! What can be said of a key: its kind, whether it works, whether it is a secret, its default, what it means.

/// One key of a section.
#[derive(Clone, Copy)]
pub(in crate::config) struct Key {
    pub(in crate::config) name: &'static str,
    pub(in crate::config) kind: Kind,
    pub(in crate::config) status: Status,
    /// One line for a person, without a full stop.
    pub(in crate::config) doc: &'static str,
    /// Never shown. Holds for everything below it too.
    pub(in crate::config) secret: bool,
    pub(in crate::config) default: Fallback,
    /// The name of Go's field where it is not the key's: distribution's variables are spelled by the field.
    pub(in crate::config) go_name: Option<&'static str>,
    /// Values that ask for what Larder does in any case: no warning for these.
    pub(in crate::config) same_as: &'static [&'static str],
    /// A value that cannot be served and must not be passed over, and why.
    pub(in crate::config) refuses: Option<(&'static str, &'static str)>,
    /// One of several of which a [`Kind::Choice`] takes exactly one.
    pub(in crate::config) exclusive: bool,
}

/// What a key may hold.
#[derive(Clone, Copy)]
pub(in crate::config) enum Kind {
    /// One value.
    One(Scalar),
    /// A sequence.
    List(&'static Kind),
    /// A mapping whose names are the user's own.
    Map(&'static Kind),
    /// A mapping of keys we know.
    Section(&'static [Key]),
    /// The same, holding one of its exclusive keys; that one's name alone may stand for it (`storage: filesystem`).
    Choice(&'static [Key]),
    /// A list of `{name, disabled, options}`, in which the name decides what the options are.
    Middleware(&'static [Key]),
    /// One value, or the longer form that went before it.
    Either(Scalar, &'static [Key]),
    /// Whatever YAML holds.
    Anything,
}

/// The kinds of single value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::config) enum Scalar {
    Text,
    Bool,
    Integer,
    /// Go's form; see [`duration`](crate::config::duration).
    Duration,
    /// In bytes, or as a part of the disk: `50GiB`, `10%`.
    Share,
    /// One of a few words, in any case.
    Word(&'static [&'static str]),
    /// Where to listen.
    Address,
    /// Where to listen; `""` for not at all.
    AddressOrOff,
    /// A host and a port to connect to.
    HostPort,
    /// A host, perhaps with a port, and no scheme.
    Host,
    /// `http` or `https`, with a host and without user info.
    Url,
    /// Begins with `/`.
    UrlPath,
}

/// What becomes of a key that is set.
#[derive(Clone, Copy)]
pub(in crate::config) enum Status {
    Works,
    /// Known to distribution, and without effect here: a warning, with a note on what that means.
    NoEffect(&'static str),
    /// Known to distribution, and not safe to pass over in silence: refused, with the reason.
    Refused(&'static str),
}

/// What holds when a key is not set.
#[derive(Clone, Copy)]
pub(in crate::config) enum Fallback {
    /// Nothing.
    Nothing,
    /// This value, as it would be written.
    Value(&'static str),
    /// No value; in words what that means.
    Words(&'static str),
}

/// A key with a single value.
pub(super) const fn one(name: &'static str, scalar: Scalar, doc: &'static str) -> Key {
    key(name, Kind::One(scalar), doc)
}

pub(super) const fn text(name: &'static str, doc: &'static str) -> Key {
    one(name, Scalar::Text, doc)
}

pub(super) const fn flag(name: &'static str, doc: &'static str) -> Key {
    one(name, Scalar::Bool, doc)
}

pub(super) const fn integer(name: &'static str, doc: &'static str) -> Key {
    one(name, Scalar::Integer, doc)
}

pub(super) const fn duration(name: &'static str, doc: &'static str) -> Key {
    one(name, Scalar::Duration, doc)
}

pub(super) const fn texts(name: &'static str, doc: &'static str) -> Key {
    key(name, Kind::List(&Kind::One(Scalar::Text)), doc)
}

pub(super) const fn section(name: &'static str, keys: &'static [Key], doc: &'static str) -> Key {
    key(name, Kind::Section(keys), doc)
}

pub(super) const fn key(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key {
        name,
        kind,
        status: Status::Works,
        doc,
        secret: false,
        default: Fallback::Nothing,
        go_name: None,
        same_as: &[],
        refuses: None,
        exclusive: false,
    }
}

// === impl Key ===

impl Key {
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// The value that holds if the key is not set.
    pub(super) const fn or(mut self, value: &'static str) -> Self {
        self.default = Fallback::Value(value);
        self
    }

    /// What it means if the key is not set.
    pub(super) const fn unset(mut self, words: &'static str) -> Self {
        self.default = Fallback::Words(words);
        self
    }

    /// Without effect; `note` says what that means to the user, or nothing.
    pub(super) const fn no_effect(mut self, note: &'static str) -> Self {
        self.status = Status::NoEffect(note);
        self
    }

    /// Refused if set, for this reason.
    pub(super) const fn refused(mut self, why: &'static str) -> Self {
        self.status = Status::Refused(why);
        self
    }

    /// Refused if set to `value`, for this reason.
    pub(super) const fn refuses(mut self, value: &'static str, why: &'static str) -> Self {
        self.refuses = Some((value, why));
        self
    }

    /// These values ask for what Larder does in any case.
    pub(super) const fn same_as(mut self, values: &'static [&'static str]) -> Self {
        self.same_as = values;
        self
    }

    pub(super) const fn go_name(mut self, name: &'static str) -> Self {
        self.go_name = Some(name);
        self
    }

    pub(super) const fn exclusive(mut self) -> Self {
        self.exclusive = true;
        self
    }
}
