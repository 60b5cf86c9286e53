//! A guest's output cannot change the structure of a report or the text around it.

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event;
use reports::view::Run;
use reports::{Html, Junit, Terminal, side_by_side};
use serde_json::Value;

#[path = "support/sample.rs"]
mod sample;
#[path = "support/subjects.rs"]
mod subjects;

const HOSTILE: &str = concat!(
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"' onmouseover='x' ",
    "]]></failure><!-- --> &amp; &#x1b; {{ 7 * 7 }} {% raw %} \x1b[2J\x1b]0;title\x07\x1b[31m \0\x01\x08\x7f\u{9b}31m",
    "\r\nnext\rback\t\u{202e}desrever\u{2066}\u{200b}\u{feff}\u{fffe}\u{ffff}\u{fdd0}\u{e0041}\u{2028}",
);

/// Appends a text to every string of the run except verdicts and classes. Empty strings stay empty, so that the reports
/// keep their structure.
fn spoilt(text: &str) -> Run {
    corrupt(&sample::run(), text)
}

fn corrupt(run: &Run, text: &str) -> Run {
    let mut run = serde_json::to_value(run).expect("a run is data");
    append(&mut run, text);
    serde_json::from_value(run).expect("it is still a run")
}

fn append(value: &mut Value, text: &str) {
    match value {
        Value::String(string) if !string.is_empty() => string.push_str(text),
        Value::Array(all) => all.iter_mut().for_each(|value| append(value, text)),
        Value::Object(fields) => {
            let kept = ["verdict", "class", "level", "arch", "direct", "inherited"];
            let others = fields
                .iter_mut()
                .filter(|(name, _)| !kept.contains(&name.as_str()));
            others.for_each(|(_, value)| append(value, text));
        }
        _ => {}
    }
}

fn html(run: &Run) -> String {
    Html.render(run).expect("it can be rendered")
}

fn junit(run: &Run) -> String {
    Junit.render(run).expect("it can be rendered")
}

/// Returns a page's tags in order, unchanged.
fn tags(page: &str) -> Vec<&str> {
    let rest = page.split('<').skip(1);
    rest.map(|tag| tag.split_once('>').expect("each tag ends").0)
        .filter(|tag| !tag.starts_with("title"))
        .collect()
}

/// Removes the content of `title` attributes, the only place where foreign text is part of a tag. Nothing in it may end
/// the attribute.
fn without_titles(page: &str) -> String {
    let mut parts = page.split(" title=\"");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut kept, part| {
        let (said, rest) = part.split_once('"').expect("the attribute ends");
        assert!(!said.contains(['<', '>']), "{said}");
        kept.push_str(rest);
        kept
    })
}

/// Reads a whole XML document and returns the names of its elements in order.
fn elements(xml: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    let mut names = Vec::new();
    loop {
        match reader.read_event().expect("it is well formed") {
            Event::Start(tag) | Event::Empty(tag) => {
                let mut name = tag.name().as_ref().to_owned();
                for attribute in tag.attributes() {
                    let attribute = attribute.expect("attributes are well formed");
                    name.push_str(&format!(" {}", attribute.key.as_ref()));
                }
                names.push(name);
            }
            Event::Eof => return names,
            _ => {}
        }
    }
}

/// Returns the characters that no report may contain.
fn surprises(text: &str) -> Vec<char> {
    let surprise = |character: &char| match character {
        '\n' | '\t' => false,
        '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{feff}' => true,
        '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => character.is_control() || u32::from(*character) & 0xffff >= 0xfffe,
    };
    text.chars().filter(surprise).collect()
}

fn check(text: &str) {
    let run = spoilt(text);
    let page = html(&run);
    assert_eq!(tags(&page), tags(&html(&sample::run())), "{text:?}");
    assert_eq!(surprises(&page), []);
    let runs = subjects::runs();
    let together: Vec<Run> = runs.iter().map(|run| corrupt(run, text)).collect();
    let together = side_by_side(&together).expect("it can be rendered");
    assert_eq!(
        tags(&without_titles(&together)),
        tags(&without_titles(
            &side_by_side(&runs).expect("it can be rendered")
        )),
        "{text:?}"
    );
    assert_eq!(surprises(&together), []);
    let xml = junit(&run);
    assert_eq!(elements(&xml), elements(&junit(&sample::run())), "{text:?}");
    assert_eq!(surprises(&xml), []);
    let plain = Terminal {
        colour: false,
        width: 100,
    }
    .render(&run);
    assert_eq!(surprises(&plain), []);
    assert!(!plain.contains('\t'));
}

#[test]
fn attacks_stay_text() {
    check(HOSTILE);
    let page = html(&spoilt(HOSTILE));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(
        page.contains("&#60;/script&#62;&#60;script&#62;alert(1)"),
        "the attack is shown"
    );
    assert!(
        page.contains("\\x1b[2J\\x1b]0;title\\x07"),
        "and so are escape sequences"
    );
    assert!(page.contains("{{ 7 * 7 }}"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_stays_text(text in proptest::collection::vec(
        prop_oneof![any::<char>(), proptest::sample::select(vec!['<', '>', '&', '"', '\'', '\x1b', '[', ']', '\0', '\r', '\n', '-', '!', '/'])],
        0..40,
    )) {
        check(&text.into_iter().collect::<String>());
    }
}

/// In coloured output, the only escape sequences are those of the sink.
#[test]
fn colours_are_the_sinks_own() {
    let sink = |colour| Terminal { colour, width: 100 };
    for run in [sample::run(), spoilt(HOSTILE)] {
        let mut coloured = sink(true).render(&run);
        assert!(coloured.contains("\x1b["));
        for own in [
            "\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m", "\x1b[90m",
        ] {
            coloured = coloured.replace(own, "");
        }
        assert_eq!(coloured, sink(false).render(&run));
    }
}

/// Lines keep to the width, except for words that are copied whole.
#[test]
fn lines_keep_to_the_width() {
    for width in [40, 60, 80, 132] {
        let text = Terminal {
            colour: false,
            width,
        }
        .render(&sample::run());
        for line in text.lines() {
            let whole = ["image", "command", "evidence", "again"];
            let copied = whole
                .iter()
                .any(|label| line.trim_start().starts_with(label))
                || line.contains('~');
            assert!(line.chars().count() <= width || copied, "{width}: {line}");
        }
    }
}
