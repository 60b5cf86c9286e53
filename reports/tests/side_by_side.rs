//! Tests the page that shows subjects side by side.

use std::time::{Duration, Instant};

use model::{AggregateVerdict, Verdict};
use reports::side_by_side;
use reports::view::Run;
use sha2::{Digest as _, Sha256};

#[path = "support/sample.rs"]
mod sample;
#[path = "support/subjects.rs"]
mod subjects;

fn page(runs: &[Run]) -> String {
    side_by_side(runs).expect("it can be rendered")
}

/// The snapshot leaves out style and script, which change independently.
#[test]
fn the_page_stays_as_it_is() {
    let page = page(&subjects::runs());
    let page = without(
        &without(&page, "<style>", "</style>"),
        "<script>",
        "</script>\n</body>",
    );
    insta::assert_snapshot!("side-by-side", page);
}

fn without(page: &str, from: &str, to: &str) -> String {
    let (before, rest) = page.split_once(from).expect("the part begins");
    let (_, after) = rest.split_once(to).expect("the part ends");
    format!("{before}{from}..{to}{after}")
}

/// Returns the row of a scenario, up to the next one.
fn row<'p>(page: &'p str, id: &str) -> &'p str {
    let (_, rest) = page
        .split_once(&format!("<th scope=\"row\"><code>{id}</code></th>"))
        .expect("the scenario has a row");
    rest.split_once("</tr>").expect("it ends").0
}

/// Each cell is the verdict of that subject's run. A scenario that a run does not contain is a dash, and differences
/// are marked.
#[test]
fn cells_are_the_runs_own() {
    let page = page(&subjects::runs());
    let verdicts = |id| {
        let cells = row(&page, id).split("<td>").skip(1);
        let word = |cell: &str| {
            let known = AggregateVerdict::ALL
                .iter()
                .find(|verdict| cell.contains(&format!(">{}<", verdict.word())));
            known.map(|verdict| verdict.word())
        };
        cells.map(word).collect::<Vec<_>>()
    };
    assert_eq!(verdicts("mmio_sweep/read"), [Some("pass"); 3]);
    assert_eq!(
        verdicts("mmio_sweep/write"),
        [Some("pass"), Some("fail"), Some("pass")]
    );
    assert_eq!(
        verdicts("dt_absent/two_domains"),
        [Some("pass"), None, Some("pass")]
    );
    assert_eq!(verdicts("keep_a_secret.0/1"), [None, None, Some("pass")]);
    let marked = page.matches("<tr class=\"differs\">").count();
    assert_eq!(marked, 1, "what is missing disagrees with nobody");
    let differs = "<tr class=\"differs\"><th scope=\"row\"><code>mmio_sweep/write</code>";
    assert!(page.contains(differs));
    assert!(page.contains("3 subjects, 13 scenarios, 1 with different verdicts"));
    assert!(page.contains("for 4 of 5 requirements"));
    let reason = "<p>dA: w32 0x9050000: wanted fault, saw ok</p>";
    assert!(row(&page, "mmio_sweep/write").contains(reason));
    for subject in ["reference", "xen", "third-party"] {
        assert!(page.contains(&format!("<h3>{subject} <span")), "{subject}");
    }
}

/// One subject makes a page too, and the caller decides the order of subjects.
#[test]
fn columns_are_in_the_order_given() {
    let runs = subjects::runs();
    let place = |page: &str, name: &str| page.find(&format!("<h3>{name} <span")).expect("a card");
    let forwards = page(&runs);
    assert!(place(&forwards, "reference") < place(&forwards, "xen"));
    let turned: Vec<Run> = runs.iter().rev().cloned().collect();
    let backwards = page(&turned);
    assert!(place(&backwards, "reference") > place(&backwards, "xen"));
    assert!(!page(&runs[..1]).contains("class=\"differs\""));
}

#[test]
fn nothing_is_fetched_and_the_policy_names_the_script() {
    let page = page(&subjects::runs());
    for way in [
        "http:", "https:", "//cdn", "src=", "url(", "@import", "<link", "<iframe", "<object",
        "fetch(",
    ] {
        assert!(!page.contains(way), "{way}");
    }
    let (_, script) = page.split_once("<script>").expect("there is a script");
    let (script, _) = script.split_once("</script>").expect("it ends");
    let digest = hex(&Sha256::digest(script.as_bytes()));
    let (_, policy) = page
        .split_once("script-src 'sha256-")
        .expect("there is a policy");
    let (named, _) = policy.split_once('\'').expect("it ends");
    assert_eq!(hex(&decoded(named)), digest);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads base64.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut word, mut bits) = (0_u32, 0);
    for digit in text.chars().filter_map(|c| DIGITS.find(c)) {
        word = word << 6 | u32::try_from(digit).expect("below 64");
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(word >> bits & 0xff).expect("a byte"));
        }
    }
    bytes
}

/// Three subjects with ten thousand scenarios each are rendered quickly.
#[test]
fn three_times_ten_thousand_rows_take_less_than_a_second() {
    const ROWS: usize = 10_000;
    let mut runs = subjects::runs();
    for (number, run) in runs.iter_mut().enumerate() {
        let pattern = sample::run().requirements[2].cases[0].clone();
        run.requirements.truncate(4);
        let requirements = run.requirements.len();
        for requirement in &mut run.requirements {
            requirement.cases.clear();
        }
        for place in 0..ROWS / 4 {
            let mut case = pattern.clone();
            case.id = format!("XenValTestCase~case.{place}~1");
            case.scenarios
                .resize_with(4, || pattern.scenarios[place % 3].clone());
            for (row, scenario) in case.scenarios.iter_mut().enumerate() {
                scenario.row.scenario = format!("case.{place}/{row}");
                if (place + row + number) % 50 == 0 {
                    scenario.row.verdict = Verdict::Fail;
                }
            }
            run.requirements[place % requirements].cases.push(case);
        }
        assert_eq!(run.counts().total(), ROWS);
    }
    // The best of three: the machine may be busy with other tests.
    let best = (0..3).map(|_| {
        let start = Instant::now();
        let length = page(&runs).len();
        assert!(length > ROWS * 3 * 50, "{length} bytes are too few");
        start.elapsed()
    });
    let best = best.min().expect("three times");
    println!("3 x {ROWS} rows: {best:?}");
    assert!(
        best < Duration::from_secs(1),
        "3 x {ROWS} rows took {best:?}"
    );
}
