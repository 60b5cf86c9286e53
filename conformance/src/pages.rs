//! A page for each scenario: its machine, its domains, its steps in words and what must be observed, for readers who
//! have the requirement beside it and no data sheet. It is made from the same source as what runs.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::library::Library;
use crate::scenario::{
    Action, Device, Domain, Expectation, From, Line, SENTINEL, Scenario, TriggerPoint,
};

mod words;

/// Renders the page of a scenario in Markdown.
pub fn page(scenario: &Scenario, library: &Library) -> String {
    let mut page = String::new();
    let covers: Vec<String> = scenario.covers.iter().map(ToString::to_string).collect();
    let mut facts = vec![
        ("Requirement", covers.join(", ")),
        ("Case", scenario.case.to_string()),
        ("Class", scenario.class.name().to_owned()),
        ("Level", scenario.level.name().to_owned()),
        (
            "Written in",
            format!("{}:{}", scenario.place.file, scenario.place.line),
        ),
    ];
    facts.extend(scenario.clause.clone().map(|clause| ("Clause", clause)));
    let needs: Vec<String> = scenario.needs.iter().map(ToString::to_string).collect();
    if !needs.is_empty() {
        facts.push(("Needs", needs.join(", ")));
    }
    let _ = writeln!(page, "# {}\n\n{}.\n", scenario.id, scenario.title);
    for (name, fact) in facts {
        let _ = writeln!(page, "- {name}: {fact}");
    }
    if let Some(note) = &scenario.note {
        let _ = writeln!(page, "\n{note}");
    }
    machine(&mut page, scenario);
    for domain in scenario.domains.iter().filter(|one| one.name != SENTINEL) {
        self::domain(&mut page, scenario, domain, library);
    }
    if scenario.domain(SENTINEL).is_some() {
        let _ = writeln!(
            page,
            "\n## Domain {SENTINEL}\n\nIt has no device and must run: it shows that the rest of the machine works."
        );
    }
    outside(&mut page, scenario, library);
    if !scenario.iommu_events.is_empty() {
        page.push_str("\n## What the IOMMU must have done\n\n");
        for rule in &scenario.iommu_events {
            let _ = writeln!(page, "- `{}`: {}", rule.text, rule.wanted);
        }
    }
    page
}

/// Renders the page that links to those of the scenarios, by requirement.
pub fn index(scenarios: &[Scenario]) -> String {
    let mut page = format!("# Test scenarios\n\n{} scenarios.\n", scenarios.len());
    let mut by_requirement: BTreeMap<String, Vec<&Scenario>> = BTreeMap::new();
    for scenario in scenarios {
        let first = scenario.covers.first().map(ToString::to_string);
        let all = by_requirement.entry(first.unwrap_or_default());
        all.or_default().push(scenario);
    }
    for (requirement, scenarios) in by_requirement {
        let _ = writeln!(page, "\n## {requirement}\n");
        for one in scenarios {
            let _ = writeln!(page, "- [{}]({}): {}", one.id, file(one), one.title);
        }
    }
    page
}

/// Returns the name of a scenario's page.
pub fn file(scenario: &Scenario) -> String {
    format!("{}.md", scenario.folder())
}

fn machine(page: &mut String, scenario: &Scenario) {
    let _ = writeln!(page, "\n## Machine\n\n{}.", scenario.board.title);
    let mut facts = Vec::new();
    if scenario.machine.iommu {
        facts.push("It has an IOMMU.".to_owned());
    }
    for added in &scenario.added {
        facts.push(format!(
            "{} is added, with its registers at {:#x}.",
            added.device.title, added.place.base
        ));
    }
    for function in scenario.pci.iter().flat_map(|pci| &pci.functions) {
        let bdf = function.bdf().map_or_else(
            || "on a bus without a number".to_owned(),
            |bdf| format!("{:02x}:{:02x}.{}", bdf >> 8, bdf >> 3 & 31, bdf & 7),
        );
        let title = &function.model.device.title;
        facts.push(format!("PCI function `{}`, {bdf}: {title}.", function.name));
    }
    facts.extend(
        scenario
            .host
            .iter()
            .map(|edit| format!("Its tree is changed: {}.", words::edit(edit))),
    );
    if !facts.is_empty() {
        page.push('\n');
    }
    for fact in facts {
        let _ = writeln!(page, "- {fact}");
    }
}

fn domain(page: &mut String, scenario: &Scenario, domain: &Domain, library: &Library) {
    let _ = writeln!(
        page,
        "\n## Domain {}\n\n{}",
        domain.name,
        fate(scenario, domain)
    );
    let devices = domain.partial.iter().flat_map(|partial| &partial.devices);
    let devices: Vec<&Device> = devices.collect();
    if !devices.is_empty() {
        page.push_str("\nIt is given\n\n");
    }
    for device in devices {
        let ranges: Vec<String> = device
            .ranges
            .iter()
            .map(|range| {
                let last = range.host.wrapping_add(range.size.wrapping_sub(1));
                format!(
                    "{:#x}..{last:#x} of the host at {:#x}",
                    range.host, range.guest
                )
            })
            .collect();
        let by = device.path.as_ref().map(|path| format!(", named `{path}`"));
        let force = if device.force {
            ", also without an IOMMU"
        } else {
            ""
        };
        let _ = writeln!(
            page,
            "- `{}`: {}{}{force}",
            device.node,
            match ranges.as_slice() {
                [] => "no registers".to_owned(),
                some => some.join(", "),
            },
            by.unwrap_or_default()
        );
    }
    for [segment, bus, function] in &domain.pci {
        let (device, function) = (function >> 3, function & 7);
        let _ = writeln!(
            page,
            "- PCI function {segment:04x}:{bus:02x}:{device:02x}.{function}"
        );
    }
    if !domain.tree.is_empty() {
        page.push_str("\nIts device tree:\n\n");
        for rule in &domain.tree {
            let _ = writeln!(page, "- {rule}");
        }
    }
    let isolation = domain
        .lines
        .iter()
        .filter(|line| line.from == From::Isolation);
    let isolation = isolation.count();
    if isolation > 0 {
        let _ = writeln!(
            page,
            "\nBefore anything else it shows at {isolation} addresses beside its devices that nothing is mapped there."
        );
    }
    let steps = steps(&domain.lines);
    if !steps.is_empty() {
        page.push_str("\nSteps:\n\n");
    }
    for (place, (said, lines)) in steps.iter().enumerate() {
        let wanted = lines
            .last()
            .map(|line| words::wanted_of(said, &line.expect));
        let sentence = words::sentence(said, library, scenario);
        let _ = writeln!(
            page,
            "{}. {sentence}{}",
            place + 1,
            wanted.unwrap_or_default()
        );
    }
}

/// Groups operations by the words that they come from.
fn steps(lines: &[Line]) -> Vec<(String, Vec<&Line>)> {
    let mut steps: Vec<(String, Vec<&Line>)> = Vec::new();
    for line in lines.iter().filter(|line| line.from == From::Case) {
        match (&line.said, steps.last_mut()) {
            (None, Some((_, lines))) => lines.push(line),
            (said, _) => {
                let said = said.clone().unwrap_or_else(|| line.op.to_string());
                steps.push((said, vec![line]));
            }
        }
    }
    steps
}

fn fate(scenario: &Scenario, domain: &Domain) -> String {
    match &domain.expectation {
        Expectation::Runs => "It must run to the end.".to_owned(),
        Expectation::Refused(words) => {
            let named = match words.as_slice() {
                [] => String::new(),
                some => format!(" A hypervisor that says why names `{}`.", some.join("`, `")),
            };
            format!("It must be refused and never run.{named}")
        }
        Expectation::Destroyed {
            after_mark,
            by,
            mark,
        } => {
            let by = scenario.domains.iter().find(|one| one.number == *by);
            let by = by.map_or("?", |one| one.name.as_str());
            format!(
                "It must reach `{after_mark}`, and nothing may come from it after `{mark}` of {by}, which destroys it."
            )
        }
    }
}

fn outside(page: &mut String, scenario: &Scenario, library: &Library) {
    if scenario.outside.is_empty() {
        return;
    }
    page.push_str("\n## Outside of the domains\n");
    for step in &scenario.outside {
        let at = match &step.at {
            TriggerPoint::Start => "Before the first instruction".to_owned(),
            TriggerPoint::End => "At the end".to_owned(),
            TriggerPoint::Mark(number, mark) => {
                let domain = scenario.domains.iter().find(|one| one.number == *number);
                format!(
                    "When {} is at `{mark}`",
                    domain.map_or("?", |one| &one.name)
                )
            }
        };
        let _ = writeln!(page, "\n{at}:\n");
        let mut acts: Vec<(&str, &Action)> = Vec::new();
        for act in &step.acts {
            match acts.last_mut() {
                Some((text, last)) if *text == act.text => *last = act,
                _ => acts.push((&act.text, act)),
            }
        }
        for (place, (text, act)) in acts.iter().enumerate() {
            let sentence = words::sentence(text, library, scenario);
            let wanted = words::wanted_of(text, &act.expect);
            let _ = writeln!(page, "{}. {sentence}{wanted}", place + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::scenario;

    /// A page says in words what runs, what is expected and what is done outside.
    #[test]
    fn a_page_tells_the_scenario() {
        let made = scenario(concat!(
            "    machine: {iommu: true, devices: [edu]}\n",
            "    domains:\n",
            "      - name: dA\n",
            "        static: [bank1 8M]\n",
            "        devices: [edu, gpio]\n",
            "        script: [identify gpio, copy edu ram+2M ram+3M, raise gpio, mark here, read32 gpio.IE => any]\n",
            "      - {name: dB, devices: [gpio], refused: [gpio]}\n",
            "    outside: [{at: dA here, do: [dma-write edu dA.ram 8, read64 dA.ram+3M => pattern]}]\n",
        ));
        let text = page(&made, Library::shipped().unwrap());
        for wanted in [
            "# demo.one\n\nOne.\n",
            "- Requirement: XenSSR~demo~2",
            "- It has an IOMMU.",
            "1. Read the register that identifies `gpio`: 0x61.",
            "2. Write 8 bytes to `ram+2M`, have `edu` copy them to `ram+3M` by DMA, and read them there: 0x1122334455667788.",
            "3. `gpio`: raise the interrupt by a pin",
            "4. Report `here`.",
            "5. Read 32 bits at `gpio.IE`: any answer.",
            "It must be refused and never run. A hypervisor that says why names `gpio@",
            "When dA is at `here`:\n\n1. `edu`: copy `8` bytes by DMA from its buffer to `dA.ram`",
            "2. Read 64 bits at `dA.ram+3M`: 0x1122334455667788.",
            "## Domain sentinel",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }

    /// Operations are numbered by the words of the case, however many each stands for.
    #[test]
    fn steps_are_those_of_the_case() {
        let made =
            scenario("    domains: [{name: dA, script: [timer 2; timer 2, post 1, stay-up 3]}]\n");
        let told: Vec<(String, usize)> = steps(&made.domains[0].lines)
            .into_iter()
            .map(|(said, lines)| (said, lines.len()))
            .collect();
        let wanted = [
            ("timer 2", 1),
            ("timer 2", 1),
            ("post 1", 1),
            ("stay-up 3", 5),
        ];
        assert_eq!(told, wanted.map(|(said, count)| (said.to_owned(), count)));
    }

    /// The index links to each page once, under its requirement.
    #[test]
    fn the_index_links_every_page() {
        let made = scenario("    domains: [{name: dA}]\n");
        let text = index(std::slice::from_ref(&made));
        assert!(
            text.contains("## XenSSR~demo~2\n\n- [demo.one](demo.one.md): One\n"),
            "{text}"
        );
    }
}
