//! Tests that the page is self-contained.

use std::collections::BTreeSet;

use reports::view::Run;
use reports::{Html, Junit, Look, SINKS, Sink, Terminal};
use sha2::{Digest as _, Sha256};

#[path = "support/sample.rs"]
mod sample;

fn page() -> String {
    Html.render(&sample::run()).expect("it can be rendered")
}

#[test]
fn nothing_is_fetched() {
    let page = page();
    for way in [
        "http:", "https:", "//cdn", "src=", "url(", "@import", "<link", "<iframe", "<object",
        "fetch(",
    ] {
        assert!(!page.contains(way), "{way}");
    }
}

/// The policy allows the page's script and nothing else.
#[test]
fn policy_names_the_script() {
    let page = page();
    let (_, script) = page.split_once("<script>").expect("there is a script");
    let (script, _) = script.split_once("</script>").expect("it ends");
    let wanted = format!(
        "script-src 'sha256-{}'",
        base64(&Sha256::digest(script.as_bytes()))
    );
    let (_, policy) = page
        .split_once("Content-Security-Policy\" content=\"")
        .expect("there is a policy");
    let (policy, _) = policy.split_once('"').expect("it ends");
    assert_eq!(
        policy,
        format!("default-src 'none'; style-src 'unsafe-inline'; {wanted}")
    );
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * index) & 63) as usize];
            text.push(if index <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}

/// Failed scenarios show their evidence whatever its size. Passed ones leave it out if there is no room, and say so.
#[test]
fn evidence_of_failures_comes_first() {
    let mut run = sample::run();
    for (index, scenario) in run
        .requirements
        .iter_mut()
        .flat_map(|requirement| &mut requirement.cases)
        .flat_map(|case| &mut case.scenarios)
        .enumerate()
    {
        scenario.evidence.console = format!("console-{index} {}", "x".repeat(20 << 20));
    }
    let page = Html.render(&run).expect("it can be rendered");
    let red = run
        .scenarios()
        .filter(|(_, _, scenario)| scenario.row.verdict.is_red())
        .count();
    assert_eq!(red, 2);
    assert_eq!(page.matches("console-").count(), red);
    assert_eq!(
        page.matches("Trees and console are left out").count(),
        10 - red
    );
}

#[test]
fn headline_is_the_callers() {
    for (conformant, word, other) in [
        (true, "<h1>Conformant</h1>", "Not conformant"),
        (false, "<h1>Not conformant</h1>", "<h1>Conformant"),
    ] {
        let mut run = sample::run();
        run.ledger.conformant = conformant;
        let page = Html.render(&run).expect("it can be rendered");
        assert!(page.contains(word) && !page.contains(other));
        let text = Terminal {
            colour: false,
            width: 80,
        }
        .render(&run);
        assert_eq!(text.contains("\nNOT CONFORMANT"), !conformant);
        assert_eq!(text.contains("\nCONFORMANT"), conformant);
    }
}

/// The caveat appears with every pass, unless the guests ran on hardware.
#[test]
fn emulation_is_said_in_every_report() {
    let look = Look {
        colour: false,
        width: 1000,
    };
    for sink in SINKS {
        let said = |run: &Run| {
            let made = (sink.render)(run, look).expect("it can be rendered");
            made.iter()
                .any(|artifact| artifact.text.contains("idealizes caches"))
        };
        let mut run = sample::run();
        assert!(said(&run), "{}", sink.name);
        run.ledger.accelerator = "kvm".to_owned();
        assert!(!said(&run), "{}", sink.name);
    }
}

/// Each report is found by its name, and no two share a name or a file.
#[test]
fn reports_have_names_of_their_own() {
    let look = Look {
        colour: false,
        width: 80,
    };
    let mut files = BTreeSet::new();
    for sink in SINKS {
        let found = Sink::find(sink.name).expect("it is there");
        assert_eq!(found.about, sink.about);
        for artifact in (sink.render)(&sample::run(), look).expect("it can be rendered") {
            assert_eq!(artifact.file, sink.file, "{}", sink.name);
            assert!(files.insert(artifact.file), "{:?}", artifact.file);
        }
    }
    assert!(Sink::find("pdf").is_none());
}

/// A scenario whose case covers two requirements has one row, under the first of them.
#[test]
fn shared_scenarios_count_once() {
    let mut run = sample::run();
    let shared = run.requirements[0].cases[0].clone();
    run.requirements[1].cases.push(shared);
    assert_eq!(run.counts(), sample::run().counts());
    let xml = Junit.render(&run).expect("it can be rendered");
    assert_eq!(xml.matches("<testcase name=\"mmio_sweep/read\"").count(), 1);
    let page = Html.render(&run).expect("it can be rendered");
    assert_eq!(page.matches("<code>mmio_sweep/read</code>").count(), 2);
}
