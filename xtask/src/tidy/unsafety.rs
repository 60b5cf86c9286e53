//! `unsafe`: only in code that touches hardware, and each time with the fact that makes it sound. clippy checks the
//! comments of the crates that it runs on; this rule also checks macros, every target and code that is configured out.

use crate::tidy::Finding;
use crate::tidy::source::{Source, Token, Tree};

const RULE: &str = "unsafe";
/// The folders of code that touches hardware: `<name>/hw` of each architecture.
const ROOMS: &[&str] = &["conformance/probes/src/arch/", "reference-hv/src/arch/"];
/// A reason shorter than this names no fact that could be false.
const SHORTEST_REASON: usize = 16;

/// Finds the keyword outside its places, and inside them without a reason.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, tokens) in tree.rust() {
        let lines: Vec<_> = file.text.lines().collect();
        let mut checked = 0;
        for (place, token) in tokens
            .iter()
            .enumerate()
            .filter(|(_, token)| token.text == "unsafe")
        {
            if !allowed(&file.path) {
                findings.push(file.finding(
                    token.line,
                    RULE,
                    "`unsafe` outside of the modules that touch hardware",
                ));
            } else if token.line != checked {
                // Several on one line share their reason.
                checked = token.line;
                findings.extend(reason_is_missing(
                    file,
                    &lines,
                    token,
                    tokens.get(place + 1),
                ));
            }
        }
    }
    findings
}

fn allowed(path: &str) -> bool {
    ROOMS
        .iter()
        .filter_map(|room| path.strip_prefix(room)?.split_once('/'))
        .any(|(_, rest)| rest == "hw.rs" || rest.starts_with("hw/"))
}

/// A declaration says what its callers must guarantee (`# Safety`), and any other use says why it is sound (`SAFETY:`),
/// in the comment directly above or on the line itself.
fn reason_is_missing(
    file: &Source,
    lines: &[&str],
    token: &Token,
    next: Option<&Token>,
) -> Option<Finding> {
    let next = next.map_or("", |token| token.text.as_str());
    let (mark, shown) = match next {
        // A pointer to an unsafe function is a type; its caller gives the reason.
        "fn" if line(lines, token.line).contains("unsafe fn(") => return None,
        "fn" | "trait" => ("# Safety", "a `# Safety` section"),
        // The declaration of a foreign function is one too, but a foreign block is an assertion of ours.
        _ => ("SAFETY:", "a `// SAFETY:` comment"),
    };
    let reason = comment_above(lines, token.line);
    let given = reason.split_once(mark).map(|(_, rest)| rest.trim());
    match given {
        Some(text) if text.len() >= SHORTEST_REASON => None,
        Some(_) => Some(file.finding(token.line, RULE, format!("{shown} that names no fact"))),
        None => Some(file.finding(token.line, RULE, format!("without {shown} right above"))),
    }
}

fn line<'l>(lines: &[&'l str], number: usize) -> &'l str {
    number
        .checked_sub(1)
        .and_then(|index| lines.get(index))
        .copied()
        .unwrap_or_default()
}

/// Returns the comment on the line `number` and the whole one directly above it. Attributes and the rest of a statement
/// that began further up may be in between.
fn comment_above(lines: &[&str], number: usize) -> String {
    let mut parts = Vec::new();
    if let Some((_, comment)) = line(lines, number).split_once("//") {
        parts.push(comment);
    }
    let mut above = number.saturating_sub(1);
    let mut seen = false;
    while above > 0 {
        let text = line(lines, above).trim();
        match text.strip_prefix("//") {
            Some(comment) => {
                seen = true;
                parts.push(comment.trim_start_matches(['/', '!']));
            }
            None if seen || !leads_on(text) => break,
            None => {}
        }
        above -= 1;
    }
    parts.reverse();
    parts.join(" ")
}

/// Tells whether a line belongs to the line below: an attribute, or the beginning of a statement that continues there.
fn leads_on(text: &str) -> bool {
    !text.is_empty() && !text.ends_with([';', '{', '}'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HW: &str = "reference-hv/src/arch/any/hw/level.rs";

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        check(&Tree::of(&[(path, text)]))
            .into_iter()
            .map(|finding| (finding.line, finding.text))
            .collect()
    }

    /// The keyword is allowed only where hardware is touched, whatever it marks.
    #[test]
    fn place_matters() {
        let block = "fn a() {\n    // SAFETY: The register exists on every processor.\n    unsafe { b() }\n}";
        for path in [
            HW,
            "reference-hv/src/arch/other/hw.rs",
            "conformance/probes/src/arch/any/hw.rs",
            "conformance/probes/src/arch/any/hw/uart.rs",
        ] {
            assert_eq!(found(path, block), [], "{path}");
        }
        let outside = [(
            3,
            "`unsafe` outside of the modules that touch hardware".to_owned(),
        )];
        for path in [
            "reference-hv/src/arch/any/paging.rs",
            "reference-hv/src/arch/hw.rs",
            "reference-hv/src/hw/a.rs",
            "runners/src/lib.rs",
            "conformance/probes/src/arch/any/hwx.rs",
        ] {
            assert_eq!(found(path, block), outside, "{path}");
        }
        assert_eq!(
            found("a.rs", "#[unsafe(no_mangle)]\nextern fn a() {}").len(),
            1
        );
        assert_eq!(
            found(
                "a.rs",
                "// unsafe\n#![forbid(unsafe_code)]\nconst A: &str = \"unsafe\";"
            ),
            []
        );
    }

    /// Each use has its reason directly above, and the reason states a fact.
    #[test]
    fn reason_is_required() {
        let ritual = "// SAFETY: this is safe";
        let fact = "// SAFETY: The table outlives the walker, which `publish` stops first.";
        let table = [
            (format!("fn a() {{\n{fact}\nunsafe {{ b() }}\n}}"), None),
            (format!("fn a() {{\n{fact}\nlet c =\n    unsafe {{ b() }};\n}}"), None),
            (format!("fn a() {{\n{fact}\nself.holds(at)\n    .then(|| unsafe {{ b() }})\n}}"), None),
            (format!("{fact}\n#[unsafe(no_mangle)]\nextern \"C\" fn a() {{}}"), None),
            (format!("{fact}\n#[inline]\nunsafe impl Send for A {{}}"), None),
            ("fn a() { unsafe { b() } }".to_owned(), Some("without a `// SAFETY:` comment right above")),
            (format!("fn a() {{\n{ritual}\nunsafe {{ b() }}\n}}"), Some("a `// SAFETY:` comment that names no fact")),
            (format!("fn a() {{\n{fact}\nlet x = 1;\nunsafe {{ b() }}\n}}"), Some("without a `// SAFETY:` comment right above")),
            (format!("{fact}\n\nunsafe impl Send for A {{}}"), Some("without a `// SAFETY:` comment right above")),
            ("/// Does it.\npub unsafe fn a() {}".to_owned(), Some("without a `# Safety` section right above")),
            ("/// Does it.\n///\n/// # Safety\n/// `at` must be mapped as device memory.\n#[inline]\npub unsafe fn a() {}".to_owned(), None),
            ("type A = unsafe fn(u64);".to_owned(), None),
        ];
        for (text, wanted) in table {
            let got = found(HW, &text)
                .into_iter()
                .map(|(_, text)| text)
                .collect::<Vec<_>>();
            assert_eq!(
                got,
                wanted.into_iter().map(str::to_owned).collect::<Vec<_>>(),
                "{text}"
            );
        }
    }
}
