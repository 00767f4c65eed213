//! Whom to ask after bytes came that are not what the digest names. Pure.

use std::collections::BTreeSet;

/// Who may have given wrong bytes, of sources by their place in the list.
#[derive(Debug)]
pub(super) struct Corruption {
    sources: usize,
    /// Gave all of a blob that was wrong.
    guilty: BTreeSet<usize>,
    /// Gave a part of one.
    suspects: BTreeSet<usize>,
    /// Of the suspects, those that were asked for all of it.
    tried_alone: BTreeSet<usize>,
}

impl Corruption {
    pub(super) fn new(sources: usize) -> Self {
        Self { sources, guilty: BTreeSet::new(), suspects: BTreeSet::new(), tried_alone: BTreeSet::new() }
    }

    /// The sources to ask next, after `givers` gave a wrong blob together; `mixed` is whether bytes of an earlier download
    /// were in it. `None`: there is nobody left.
    pub(super) fn next(&mut self, givers: &BTreeSet<usize>, mixed: bool) -> Option<Vec<usize>> {
        if givers.is_empty() && !mixed {
            // Nobody is to blame, so nobody is the better choice.
            return None;
        }
        if givers.len() == 1 && !mixed {
            self.guilty.extend(givers);
        } else {
            self.suspects.extend(givers);
        }
        let fresh = |source: &usize| !self.guilty.contains(source) && !self.suspects.contains(source);
        let fresh: Vec<usize> = (0..self.sources).filter(fresh).collect();
        if !fresh.is_empty() {
            return Some(fresh);
        }
        // One of several lied, or what was there before was wrong: whoever is right is right alone.
        let untried = |source: &&usize| !self.guilty.contains(source) && !self.tried_alone.contains(source);
        let alone = *self.suspects.iter().find(untried)?;
        self.tried_alone.insert(alone);
        Some(vec![alone])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(corruption: &mut Corruption, givers: &[usize], mixed: bool) -> Option<Vec<usize>> {
        corruption.next(&givers.iter().copied().collect(), mixed)
    }

    #[test]
    fn a_liar_is_not_asked_again() {
        let mut corruption = Corruption::new(3);
        assert_eq!(next(&mut corruption, &[1], false), Some(vec![0, 2]));
        assert_eq!(next(&mut corruption, &[0], false), Some(vec![2]));
        assert_eq!(next(&mut corruption, &[2], false), None);
        assert_eq!(next(&mut Corruption::new(1), &[0], false), None);
        assert_eq!(next(&mut Corruption::new(1), &[], false), None, "or it would go on for ever");
    }

    #[test]
    fn of_several_each_is_asked_alone() {
        let mut corruption = Corruption::new(3);
        assert_eq!(next(&mut corruption, &[0, 1], false), Some(vec![2]));
        assert_eq!(next(&mut corruption, &[2], false), Some(vec![0]));
        assert_eq!(next(&mut corruption, &[0], false), Some(vec![1]));
        assert_eq!(next(&mut corruption, &[1], false), None);
    }

    #[test]
    fn what_was_there_before_may_be_to_blame() {
        let mut corruption = Corruption::new(1);
        assert_eq!(next(&mut corruption, &[], true), Some(vec![0]));
        let mut corruption = Corruption::new(1);
        assert_eq!(next(&mut corruption, &[0], true), Some(vec![0]));
        assert_eq!(next(&mut corruption, &[0], false), None);
    }
}
