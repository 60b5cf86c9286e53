//! What is done in a scenario, as ledger and reports tell it.

use model::Step;

use crate::scenario::{From, Moment, SENTINEL, Scenario};

/// Who takes a step that no domain takes.
const OUTSIDE: &str = "outside";

impl Scenario {
    /// Lists the steps that the case asks for: those of each domain in order, then those outside. What every scenario does
    /// by itself (its sentinel, the accesses that show that nothing else is mapped) is left out.
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

    fn named(&self, at: &Moment) -> String {
        match at {
            Moment::Start => "start".to_owned(),
            Moment::End => "end".to_owned(),
            Moment::Mark(number, mark) => {
                let domain = self.domains.iter().find(|domain| domain.number == *number);
                format!("{} {mark}", domain.map_or("?", |domain| &domain.name))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sample::scenario;

    /// The steps of the case are told with their expectations, outside ones with their moment; the suite's own are not.
    #[test]
    fn steps_are_those_of_the_case() {
        let made = scenario(concat!(
            "    domains: [{name: dA, script: [mark here, \"r32 0x9030fe0 => 0x61\"]}]\n",
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
