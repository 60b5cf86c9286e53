//! Three subjects with different results.

use model::{AggregateVerdict, Arch, Level, Subject, Verdict};
use reports::view::{Case, Run};

use crate::sample;

/// Makes the runs: the sample, one that fails more and lacks a scenario, and one with a smaller selection and a
/// requirement of its own.
pub fn runs() -> Vec<Run> {
    let subject = |name: &str, version: &str| Subject {
        name: name.to_owned(),
        version: version.to_owned(),
        arch: Arch::default(),
        digest: format!("sha256:{}", "0badcafe".repeat(8)),
        level: Level::default(),
    };
    let first = sample::run();
    let mut second = sample::run();
    second.ledger.subject = subject("xen", "4.20.0");
    let hide = &mut second.requirements[0];
    hide.item.verdict = AggregateVerdict::Fail;
    hide.cases[0].verdict = AggregateVerdict::Fail;
    hide.cases[0].scenarios[1].row.verdict = Verdict::Fail;
    hide.cases[0].scenarios[1].row.reason = "dA: w32 0x9050000: wanted fault, saw ok".to_owned();
    hide.cases.remove(1);
    let mut third = sample::run();
    third.ledger.subject = subject("third-party", "7");
    third.ledger.conformant = true;
    third.requirements.remove(1);
    let mut own = third.requirements[0].clone();
    own.item.id = "XenSSR~keep_a_secret~1".to_owned();
    own.item.title = "Keep a secret".to_owned();
    own.item.group = "Additions".to_owned();
    for (place, case) in own.cases.iter_mut().enumerate() {
        rename(case, place);
    }
    third.requirements.push(own);
    vec![first, second, third]
}

fn rename(case: &mut Case, place: usize) {
    case.id = format!("XenValTestCase~keep_a_secret.{place}~1");
    for (row, scenario) in case.scenarios.iter_mut().enumerate() {
        scenario.row.scenario = format!("keep_a_secret.{place}/{row}");
    }
}
