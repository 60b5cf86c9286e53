//! Shows that the suite can fail: a case of the violated requirement must catch each seeded fault of the reference
//! hypervisor.

use std::path::Path;

use anyhow::{Result, bail};
use model::Verdict;
use runners::{Command, Profile, Request, RunController};

use crate::pipeline::Harness;
use crate::scenario::Scenario;

/// A seeded fault that the image offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeededFault {
    /// Value of the `fault=` argument.
    pub name: String,
    /// Full id of the requirement it violates.
    pub requirement: String,
    /// What it does.
    pub text: String,
}

/// The result for one fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Catch {
    /// A scenario of its own requirement failed.
    Caught(String),
    /// Only a scenario of another requirement failed.
    Elsewhere(String),
    /// Every scenario passed.
    Escaped,
    /// The harness could not tell: these scenarios were broken.
    Unclear(Vec<String>),
}

/// Asks the image which faults it offers.
pub fn faults(profile: &Profile, image: &Path, host: Vec<u8>) -> Result<Vec<SeededFault>> {
    let mut request = Request::new(
        profile.arch,
        profile.machine.clone(),
        image,
        profile.deadline(),
    );
    request.host_dtb = Some(host);
    let mut listing = Listing::default();
    let outcome = runners::run(&request, &mut listing)?;
    if !listing.complete {
        let console = String::from_utf8_lossy(&outcome.console).into_owned();
        bail!(
            "{}: the image lists no faults (built without them?); it said:\n{console}",
            image.display()
        );
    }
    if listing.faults.is_empty() {
        bail!("{}: the image offers no fault", image.display());
    }
    Ok(listing.faults)
}

#[derive(Default)]
struct Listing {
    faults: Vec<SeededFault>,
    complete: bool,
}

impl RunController for Listing {
    fn line(&mut self, line: &str) -> Vec<Command> {
        if line.contains("faults end") {
            self.complete = true;
            return vec![Command::Finish];
        }
        self.faults.extend(fault(line));
        Vec::new()
    }

    fn done(&mut self, _: &str, _: &runners::Answer) -> Vec<Command> {
        Vec::new()
    }
}

/// Parses `fault <name> <requirement> <text>` after any prefix.
fn fault(line: &str) -> Option<SeededFault> {
    let (_, told) = line.split_once("fault ")?;
    let mut words = told.splitn(3, ' ');
    let (name, requirement) = (words.next()?, words.next()?);
    requirement.contains('~').then(|| SeededFault {
        name: name.to_owned(),
        requirement: requirement.to_owned(),
        text: words.next().unwrap_or("").to_owned(),
    })
}

/// Gives verdicts on scenarios.
pub trait Judge {
    /// Runs and judges one scenario.
    fn verdict(&self, scenario: &Scenario) -> Result<Verdict>;
}

impl Judge for Harness {
    fn verdict(&self, scenario: &Scenario) -> Result<Verdict> {
        if self.unclaimed(scenario).is_some() {
            return Ok(Verdict::Skip);
        }
        Ok(self.run(scenario, None)?.outcome.verdict)
    }
}

/// Runs the scenarios of a fault's requirement on the `seeded` subject until one catches it, and those of other
/// requirements only if none does. `control` is the same subject without the fault.
pub fn check(
    seeded: &dyn Judge,
    control: &dyn Judge,
    fault: &SeededFault,
    scenarios: &[Scenario],
) -> Result<Catch> {
    let covers = |scenario: &&Scenario| {
        scenario
            .covers
            .iter()
            .any(|id| id.as_str() == fault.requirement)
    };
    let mut broken = Vec::new();
    let own = scenarios.iter().filter(covers);
    if let Some(by) = first_catch(seeded, control, own, &mut broken)? {
        return Ok(Catch::Caught(by));
    }
    if !broken.is_empty() {
        return Ok(Catch::Unclear(broken));
    }
    let others = scenarios.iter().filter(|scenario| !covers(scenario));
    Ok(match first_catch(seeded, control, others, &mut broken)? {
        Some(by) => Catch::Elsewhere(by),
        None => Catch::Escaped,
    })
}

/// Finds the first scenario that fails. It must fail twice, since a single failure may be chance, and it must pass
/// without the fault, since a scenario that always fails catches nothing.
fn first_catch<'s>(
    seeded: &dyn Judge,
    control: &dyn Judge,
    scenarios: impl Iterator<Item = &'s Scenario>,
    broken: &mut Vec<String>,
) -> Result<Option<String>> {
    for scenario in scenarios {
        let failed = match seeded.verdict(scenario)? {
            Verdict::Fail => seeded.verdict(scenario)? == Verdict::Fail,
            Verdict::Broken => {
                broken.push(scenario.id.clone());
                false
            }
            Verdict::Pass | Verdict::Skip | Verdict::Waived => false,
        };
        if failed && control.verdict(scenario)? == Verdict::Pass {
            return Ok(Some(scenario.id.clone()));
        }
        if failed {
            broken.push(format!("{} (fails without the fault too)", scenario.id));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use super::*;

    /// A line of the listing is parsed after its prefix; other lines are ignored.
    #[test]
    fn listings_are_read() {
        let told = fault("(HV) fault owner-forgotten XenSSR~x~1 forgets who owns a page").unwrap();
        assert_eq!(
            (told.name.as_str(), told.requirement.as_str()),
            ("owner-forgotten", "XenSSR~x~1")
        );
        assert_eq!(told.text, "forgets who owns a page");
        assert_eq!(fault("(HV) fault at address 5"), None);
    }

    /// Verdicts by scenario, each used once; the last one is repeated.
    struct Fake(RefCell<BTreeMap<&'static str, Vec<Verdict>>>);

    impl Judge for Fake {
        fn verdict(&self, scenario: &Scenario) -> Result<Verdict> {
            let mut all = self.0.borrow_mut();
            let verdicts = all
                .get_mut(scenario.id.as_str())
                .expect("a verdict for every scenario asked for");
            Ok(if verdicts.len() > 1 {
                verdicts.remove(0)
            } else {
                verdicts[0]
            })
        }
    }

    /// A fault is caught only by its own requirement, by a scenario that fails every time and passes without the fault.
    #[test]
    fn catches_are_classified() {
        use Verdict::{Broken, Fail, Pass, Skip};
        let caught = |by: &str| Catch::Caught(by.to_owned());
        let unclear = |by: &str| Catch::Unclear(vec![by.to_owned()]);
        let p = || vec![Pass];
        let table = [
            // own a, own b, other c; control of all three; result
            ([vec![Fail], p(), p()], [Pass; 3], caught("demo.a")),
            ([p(), vec![Fail], p()], [Pass; 3], caught("demo.b")),
            ([vec![Broken], vec![Fail], p()], [Pass; 3], caught("demo.b")),
            (
                [p(), p(), vec![Fail]],
                [Pass; 3],
                Catch::Elsewhere("demo.c".to_owned()),
            ),
            ([p(), p(), p()], [Pass; 3], Catch::Escaped),
            (
                [p(), vec![Broken], vec![Fail]],
                [Pass; 3],
                unclear("demo.b"),
            ),
            (
                [vec![Skip], vec![Skip], vec![Broken]],
                [Pass; 3],
                Catch::Escaped,
            ),
            // A single failure may be chance.
            ([vec![Fail, Pass], p(), p()], [Pass; 3], Catch::Escaped),
            // A scenario that fails anyway shows nothing, and the result says so.
            (
                [vec![Fail], p(), p()],
                [Fail, Pass, Pass],
                unclear("demo.a (fails without the fault too)"),
            ),
            (
                [vec![Fail], vec![Fail], p()],
                [Broken, Pass, Pass],
                caught("demo.b"),
            ),
        ];
        let case = |name: &str, covers: &str| {
            format!(
                "  - id: XenValTestCase~demo.{name}~1\n    title: T\n    class: fault\n    covers: [{covers}]\n    domains: [{{name: dA}}]\n"
            )
        };
        let own = "XenSSR~demo~2";
        let cases = [case("a", own), case("b", own), case("c", "XenSSR~other~1")].concat();
        let scenarios = crate::sample::scenarios(&cases);
        let fault = SeededFault {
            name: "f".to_owned(),
            requirement: own.to_owned(),
            text: String::new(),
        };
        let names = ["demo.a", "demo.b", "demo.c"];
        for (seeded, control, wanted) in table {
            let told = format!("{seeded:?} {control:?}");
            let seeded = Fake(RefCell::new(names.into_iter().zip(seeded).collect()));
            let control = control.map(|verdict| vec![verdict]);
            let control = Fake(RefCell::new(names.into_iter().zip(control).collect()));
            assert_eq!(
                check(&seeded, &control, &fault, &scenarios).unwrap(),
                wanted,
                "{told}"
            );
        }
    }

    /// Scenarios of other requirements run only if no scenario of the fault's own requirement can tell.
    #[test]
    fn others_are_not_asked_for_nothing() {
        let case = "  - id: XenValTestCase~demo.a~1\n    title: T\n    class: fault\n    domains: [{name: dA}]\n";
        let other = case
            .replace("demo.a", "demo.c")
            .replace("    domains", "    covers: [XenSSR~other~1]\n    domains");
        let scenarios = crate::sample::scenarios(&[case, &other].concat());
        let fault = SeededFault {
            name: "f".to_owned(),
            requirement: "XenSSR~demo~2".to_owned(),
            text: String::new(),
        };
        let only = |verdict| Fake(RefCell::new(BTreeMap::from([("demo.a", vec![verdict])])));
        // `demo.c` has no verdict: asking for one would panic.
        let catch = check(
            &only(Verdict::Fail),
            &only(Verdict::Pass),
            &fault,
            &scenarios,
        )
        .unwrap();
        assert_eq!(catch, Catch::Caught("demo.a".to_owned()));
    }
}
