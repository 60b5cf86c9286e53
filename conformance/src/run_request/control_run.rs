//! Control runs of a scenario: the same machine without what the scenario is about. If the control run runs, the
//! harness works, and silence is the subject's fault.

use crate::scenario::{Domain, SENTINEL, Scenario, TriggerPoint};

/// Returns the same machine with only the sentinel.
pub fn alone(scenario: &Scenario) -> Option<Scenario> {
    let sentinel = scenario.domain(SENTINEL)?.clone();
    let id = format!("{}/control", scenario.id);
    let control = Scenario {
        id,
        domains: vec![sentinel],
        outside: Vec::new(),
        iommu_events: Vec::new(),
        host: Vec::new(),
        // Marks go with the edits: the marked nodes may exist only because of the edits.
        passthrough: Some(Vec::new()),
        ..scenario.clone()
    };
    (scenario.domains.len() > 1).then_some(control)
}

/// Returns the same scenario in which this domain has no devices, no script, and nothing to be refused for. It stays,
/// so that the ids of the others do not change, and it must run: that shows that the refusal was for what was removed.
pub fn without(scenario: &Scenario, name: &str) -> Scenario {
    let mut control = scenario.clone();
    let node = format!("/chosen/{name}");
    let below = format!("{node}/");
    let about = |edit: &dtb_gen::Edit| {
        let mut paths = edit.paths().into_iter();
        paths.any(|path| path == node || path.starts_with(&below))
    };
    control.host.retain(|edit| !about(edit));
    // The wanted IOMMU events may come from the refused domain's devices.
    control.iommu_events = Vec::new();
    let number = scenario.domain(name).map(|domain| domain.number);
    control.outside.retain(|step| match &step.at {
        TriggerPoint::Mark(by, _) => Some(*by) != number,
        TriggerPoint::Start | TriggerPoint::End => true,
    });
    for domain in control.domains.iter_mut().filter(|one| one.name == name) {
        // If its memory was certain pages, it now has the default size.
        let memory_kib = domain.memory_kib.filter(|_| domain.banks.is_empty());
        *domain = Domain {
            role: domain.role,
            child: domain.child,
            memory_kib,
            cpus: domain.cpus,
            vpl011: domain.vpl011,
            ..Domain::plain(domain.name.as_str(), domain.number, domain.ram)
        };
    }
    control
}
