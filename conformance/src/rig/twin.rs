//! Twins of a scenario: the same machine without what the scenario is about. One that runs shows that the rig could tell,
//! so that silence is the subject's doing.

use crate::scenario::{Domain, Fate, Moment, SENTINEL, Scenario};

/// The same machine with nothing but the sentinel.
pub fn alone(scenario: &Scenario) -> Option<Scenario> {
    let sentinel = scenario.domain(SENTINEL)?.clone();
    let id = format!("{}/twin", scenario.id);
    let twin = Scenario {
        id,
        domains: vec![sentinel],
        outside: Vec::new(),
        events: Vec::new(),
        host: Vec::new(),
        // Marks go with the edits: they may be on nodes that only the edits make.
        passthrough: Some(Vec::new()),
        ..scenario.clone()
    };
    (scenario.domains.len() > 1).then_some(twin)
}

/// The same scenario in which this domain has no devices, nothing to do, and nothing to be refused for. It stays, so that
/// the ids of the others do, and must run: what is refused must be refused for what was taken away.
pub fn without(scenario: &Scenario, name: &str) -> Scenario {
    let mut twin = scenario.clone();
    let node = format!("/chosen/{name}");
    let about = |edit: &String| {
        let below = format!("{node}/");
        let mut words = edit.split_whitespace();
        words.any(|word| word == node || word.starts_with(&below))
    };
    twin.host.retain(|edit| !about(edit));
    // What the IOMMUs do may be what the refused domain's devices did.
    twin.events = Vec::new();
    let number = scenario.domain(name).map(|domain| domain.number);
    twin.outside.retain(|step| match &step.at {
        Moment::Mark(by, _) => Some(*by) != number,
        Moment::Start | Moment::End => true,
    });
    for domain in twin.domains.iter_mut().filter(|one| one.name == name) {
        // Where its memory was certain pages, it now has as much as any domain.
        let memory_kib = domain.memory_kib.filter(|_| domain.banks.is_empty());
        *domain = Domain {
            memory_kib,
            banks: Vec::new(),
            direct: false,
            guest_lines: None,
            extra: Vec::new(),
            partial: None,
            pci: Vec::new(),
            lines: Vec::new(),
            tree: Vec::new(),
            fate: Fate::Runs,
            otherwise: false,
            ..domain.clone()
        };
    }
    twin
}
