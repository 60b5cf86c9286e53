//! The claims of a subject on which verdicts depend.

use crate::observe::Observation;
use crate::scenario::Domain;

/// What a subject claims about refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// It explains each refusal on the console.
    pub diagnostics: bool,
    /// It also refuses what the requirements leave open.
    pub strict: bool,
}

impl Claims {
    /// Reads the claims from a profile.
    pub fn of(profile: &runners::Profile) -> Self {
        Self {
            diagnostics: profile.diagnostics,
            strict: profile.level == model::Level::Strict,
        }
    }

    /// Tells whether a domain runs that the case has refused, and may run: its observations then decide.
    pub(super) fn may_run(self, domain: &Domain, seen: &Observation) -> bool {
        !self.strict && domain.if_permitted && seen.domains.contains_key(&domain.number)
    }
}
