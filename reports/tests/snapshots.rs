//! Snapshots of each report. `INSTA_UPDATE=always cargo test -p reports` accepts a change.

use reports::{Html, Junit, Terminal};

#[path = "support/sample.rs"]
mod sample;

#[test]
fn terminal() {
    let wide = Terminal {
        colour: false,
        width: 100,
    }
    .render(&sample::run());
    insta::assert_snapshot!("terminal", wide);
    let narrow = Terminal {
        colour: false,
        width: 50,
    }
    .render(&sample::run());
    insta::assert_snapshot!("terminal-narrow", narrow);
}

#[test]
fn junit() {
    insta::assert_snapshot!(
        "junit",
        Junit.render(&sample::run()).expect("it can be rendered")
    );
}

/// The snapshot leaves out style and script, which change independently.
#[test]
fn html() {
    let page = Html.render(&sample::run()).expect("it can be rendered");
    let page = without(
        &without(&page, "<style>", "</style>"),
        "<script>",
        "</script>\n</body>",
    );
    insta::assert_snapshot!("html", page);
}

fn without(page: &str, from: &str, to: &str) -> String {
    let (before, rest) = page.split_once(from).expect("the part begins");
    let (_, after) = rest.split_once(to).expect("the part ends");
    format!("{before}{from}..{to}{after}")
}
