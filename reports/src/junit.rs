//! Renders JUnit XML for CI servers: one suite a requirement, one test case a scenario.

use std::time::Duration;

use model::{AggregateVerdict, Verdict};
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};
use text::visible;

use crate::RenderError;
use crate::view::{Case, Run, Scenario};

/// Renders JUnit XML.
///
/// Each test case names the requirements that it covers in properties `requirement`. Fail becomes a failure, Broken an
/// error. Skip, Waived and what was not run become skipped, with the reason. A requirement without cases has one
/// skipped row, so that it is visible. A suite's property `verdict` gives the verdict of its requirement.
#[derive(Clone, Copy, Debug)]
pub struct Junit;

impl Junit {
    /// Renders the report. The same run always gives the same text.
    pub fn render(self, run: &Run) -> Result<String, RenderError> {
        let mut report = Report::new(format!(
            "device passthrough conformance: {}",
            visible(&run.ledger.subject.name)
        ));
        report.time = run.millis().map(Duration::from_millis);
        let mut scenarios = run.scenarios().peekable();
        for requirement in &run.requirements {
            let mut suite = TestSuite::new(shown(&requirement.item.id));
            suite.add_property(property("requirement", &requirement.item.id));
            suite.add_property(property("title", &requirement.item.title));
            suite.add_property(property("verdict", &requirement.item.verdict.to_string()));
            suite.add_property(property(
                "mandatory",
                if requirement.is_mandatory() {
                    "yes"
                } else {
                    "no"
                },
            ));
            for (name, value) in [
                ("subject", &run.ledger.subject.name),
                ("subject-version", &run.ledger.subject.version),
                ("subject-digest", &run.ledger.subject.digest),
                ("arch", &run.ledger.subject.arch.to_string()),
                ("accelerator", &run.ledger.accelerator),
                ("seed", &run.ledger.seed.to_string()),
            ] {
                suite.add_property(property(name, value));
            }
            if let Some(caveat) = run.caveat() {
                suite.add_property(property("caveat", caveat));
            }
            let own = |(owner, _, _): &(&_, _, _)| std::ptr::eq(*owner, requirement);
            let mut millis = None;
            while let Some((_, case, scenario)) = scenarios.next_if(own) {
                millis = scenario
                    .millis
                    .map(|more| millis.unwrap_or(0) + more)
                    .or(millis);
                suite.add_test_case(test_case(case, scenario));
            }
            if suite.test_cases.is_empty() && requirement.cases.is_empty() {
                suite.add_test_case(unverified(&requirement.item.id));
            }
            suite.time = millis.map(Duration::from_millis);
            report.add_test_suite(suite);
        }
        Ok(report.to_string()?)
    }
}

/// Makes the row of a requirement without any run.
fn unverified(requirement: &str) -> TestCase {
    let mut status = TestCaseStatus::skipped();
    status.set_type(AggregateVerdict::NotVerified.to_string());
    status.set_message("no case ran for this requirement");
    let mut row = TestCase::new("not verified", status);
    row.set_classname(shown(requirement));
    row.add_property(property("requirement", requirement));
    row.add_property(property(
        "verdict",
        &AggregateVerdict::NotVerified.to_string(),
    ));
    row
}

fn test_case(case: &Case, scenario: &Scenario) -> TestCase {
    let mut row = TestCase::new(shown(&scenario.row.scenario), status(scenario));
    row.set_classname(shown(&case.id));
    row.time = scenario.millis.map(Duration::from_millis);
    row.assertions = Some(scenario.row.checks.len());
    for id in &case.covers {
        row.add_property(property("requirement", id));
    }
    row.add_property(property("case", &case.id));
    row.add_property(property("title", &case.title));
    row.add_property(property("class", &case.class.to_string()));
    row.add_property(property("verdict", &scenario.row.verdict.to_string()));
    row.add_property(property("seed", &scenario.row.seed));
    row.add_property(property("reproduce", &scenario.reproduce));
    if let Some(evidence) = &scenario.row.evidence {
        row.add_property(property("evidence", evidence));
    }
    // The console of a passed scenario is in its evidence folder; CI servers keep these files for years.
    if scenario.row.verdict.is_red() {
        row.set_system_out(shown(&scenario.evidence.console));
    }
    row
}

fn status(scenario: &Scenario) -> TestCaseStatus {
    let mut status = match scenario.row.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skip | Verdict::Waived => TestCaseStatus::skipped(),
    };
    status.set_type(scenario.row.verdict.to_string());
    status.set_message(shown(&scenario.row.reason));
    if scenario.row.verdict.is_red() || scenario.row.verdict == Verdict::Waived {
        let failed = scenario.row.checks.iter().filter(|check| !check.ok);
        let rows = failed.map(|check| {
            let text = format!(
                "{}\n  wanted: {}\n  seen:   {}\n",
                check.what, check.wanted, check.seen
            );
            shown(&text)
        });
        status.set_description(rows.collect::<String>());
    }
    status
}

fn property(name: &str, value: &str) -> Property {
    Property::new(name, shown(value))
}

fn shown(text: &str) -> String {
    visible(text).into_owned()
}
