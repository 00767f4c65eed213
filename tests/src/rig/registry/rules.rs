//! Who may do what at a token server. Pure.

use std::collections::BTreeMap;

use super::Credentials;

/// Users, and which repositories are open to whom. Repositories are named, or by a prefix and `*`.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    public: Vec<String>,
    users: BTreeMap<String, User>,
}

#[derive(Clone, Debug)]
struct User {
    password: String,
    repositories: Vec<String>,
}

impl Rules {
    /// Nobody may do anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everybody may pull from these.
    #[must_use]
    pub fn public(mut self, repositories: &str) -> Self {
        self.public.push(repositories.to_owned());
        self
    }

    /// This user may pull from and push to these; said again for the same user, to these as well.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str, repositories: &str) -> Self {
        let new = || User { password: password.to_owned(), repositories: vec![] };
        self.users.entry(name.to_owned()).or_insert_with(new).repositories.push(repositories.to_owned());
        self
    }

    /// Whether there is such a user with this password.
    pub(crate) fn knows(&self, name: &str, password: &str) -> bool {
        self.users.get(name).is_some_and(|user| user.password == password)
    }

    /// Which of `actions` on `repository` this user (or nobody in particular) may do.
    pub(crate) fn allowed<'a>(&self, user: Option<&str>, repository: &str, actions: &[&'a str]) -> Vec<&'a str> {
        let granted = user.and_then(|u| self.users.get(u)).is_some_and(|u| matches(&u.repositories, repository));
        let public = matches(&self.public, repository);
        actions.iter().copied().filter(|&action| granted || (public && action == "pull")).collect()
    }

    /// A user who may push everywhere, for the rig itself.
    pub(crate) fn anybody_with_all_rights(&self) -> Option<Credentials> {
        let mut users = self.users.iter();
        let (name, user) = users.find(|(_, user)| user.repositories.iter().any(|r| r == "*"))?;
        Some(Credentials { user: name.clone(), password: user.password.clone() })
    }
}

fn matches(patterns: &[String], repository: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(prefix) => repository.starts_with(prefix),
        None => repository == pattern,
    })
}

#[cfg(test)]
mod tests {
    use super::Rules;

    #[test]
    fn the_public_pulls_what_is_public_and_users_do_what_they_may() {
        let rules = Rules::new().public("open/*").user("ann", "secret", "team/app");
        let both = ["pull", "push"];
        assert_eq!(rules.allowed(None, "open/a", &both), ["pull"]);
        assert!(rules.allowed(None, "team/app", &both).is_empty());
        assert_eq!(rules.allowed(Some("ann"), "team/app", &both), both);
        assert_eq!(rules.allowed(Some("ann"), "open/a", &both), ["pull"]);
        assert!(rules.allowed(Some("ann"), "team/other", &both).is_empty());
        assert!(rules.knows("ann", "secret") && !rules.knows("ann", "guess") && !rules.knows("bob", ""));
    }
}
