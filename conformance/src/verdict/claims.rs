//! What a subject claims, as far as verdicts depend on it.

use crate::observe::Seen;
use crate::scenario::Domain;

/// What a subject claims about refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// It explains each on the console.
    pub diagnostics: bool,
    /// It refuses also what the requirements leave open.
    pub strict: bool,
}

impl Claims {
    /// Reads them out of a profile.
    pub fn of(profile: &runners::Profile) -> Self {
        Self {
            diagnostics: profile.diagnostics,
            strict: profile.level == model::Level::Strict,
        }
    }

    /// Tells a domain that runs although the case has it refused, and may: what it finds decides.
    pub(super) fn let_run(self, domain: &Domain, seen: &Seen) -> bool {
        !self.strict && domain.otherwise && seen.domains.contains_key(&domain.number)
    }
}
