//! The steps of a scenario, as ledger and reports show them.

use model::Step;

use crate::scenario::{From, SENTINEL, Scenario, TriggerPoint};

/// Name for actions outside the guests, in the place of a domain.
const OUTSIDE: &str = "outside";

impl Scenario {
    /// Lists the steps that the case asks for: those of each domain in order, then those outside. What every scenario
    /// does (the sentinel, the isolation checks) is left out.
    pub fn steps(&self) -> Vec<Step> {
        let domains = self.domains.iter().filter(|domain| domain.name != SENTINEL);
        let inside = domains.flat_map(|domain| {
            let lines = domain.lines.iter().filter(|line| line.from == From::Case);
            lines.map(|line| Step {
                by: domain.name.clone(),
                action: line.op.to_string(),
                wanted: line.expect.to_string(),
            })
        });
        let outside = self.outside.iter().flat_map(|step| {
            let at = self.named(&step.at);
            step.acts.iter().map(move |act| Step {
                by: OUTSIDE.to_owned(),
                action: format!("{at}: {}", act.text),
                wanted: act.expect.to_string(),
            })
        });
        inside.chain(outside).collect()
    }

    fn named(&self, at: &TriggerPoint) -> String {
        match at {
            TriggerPoint::Start => "start".to_owned(),
            TriggerPoint::End => "end".to_owned(),
            TriggerPoint::Mark(number, mark) => {
                let domain = self.domains.iter().find(|domain| domain.number == *number);
                format!("{} {mark}", domain.map_or("?", |domain| &domain.name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::scenario;

    /// The steps of the case are listed with their expectations, those outside with their trigger; the suite's own are
    /// not.
    #[test]
    fn steps_are_those_of_the_case() {
        let made = scenario(concat!(
            "    domains: [{name: dA, script: [mark here, \"read32 0x9030fe0 => 0x61\"]}]\n",
            "    outside: [{at: dA here, do: [\"read32 0x9030fe0 => 0x61\"]}]\n",
        ));
        let told: Vec<String> = made
            .steps()
            .iter()
            .map(|step| format!("{} | {} | {}", step.by, step.action, step.wanted))
            .collect();
        assert_eq!(
            told,
            [
                "dA | mark here | goes through",
                "dA | r32 0x9030fe0 | 0x61",
                "outside | dA here: read32 0x9030fe0 | 0x61",
            ]
        );
    }
}
