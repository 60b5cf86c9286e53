use super::*;
use crate::{Item, Location, Reference};

const CASE: &str = "XenValTestCase";

/// Three requirements in two groups, of which one has no defect.
fn catalog() -> Catalog {
    let text = "\
Both
====

Works
-----
`XenSSR~works~1`

Needs:
 - XenValTestCase

Some boards only
==========

Lacks a case
------------
`XenSSR~lacks~1`

Covers:
 - `XenPRQ~parnt~1`

Needs:
 - XenValTestCase

Parent
------
`XenPRQ~parent~2`

Comments:
text

Needs: XenSSR
";
    let mut catalog = Catalog::parse("r.rst", text.as_bytes());
    for (id, covers, line) in [
        ("XenValTestCase~works.at_all~1", "XenSSR~works~1", 3),
        ("XenValTestCase~works.old~1", "XenSSR~works~0", 9),
    ] {
        let at = Location {
            file: "works.yaml".into(),
            line,
        };
        let covers = vec![Reference {
            id: covers.parse().expect("an id"),
            line: line + 1,
        }];
        let case = Item::new(id.parse().expect("an id"), at);
        catalog.add(Item {
            title: Some("a case".to_owned()),
            covers,
            ..case
        });
    }
    catalog
}

/// The list has one line for each item under its group, with the number of cases and the place.
#[test]
fn list_is_a_table() {
    let output = list(&catalog(), CASE, Format::Text);
    assert_eq!(
        output.stdout,
        "\
Both
  XenSSR~works~1   Works            1 case  r.rst:6

Some boards only
  XenSSR~lacks~1   Lacks a case    0 cases  r.rst:16
  XenPRQ~parent~2  Parent          0 items  r.rst:26

3 items, 2 cases
"
    );
    assert_eq!(output.code, 0);
    assert!(
        output.stderr.starts_with("warning: `Comments:`"),
        "{}",
        output.stderr
    );
}

/// The trace names every defect with its place, and similar ids.
#[test]
fn trace_names_every_fault() {
    let output = trace(&catalog(), CASE, Format::Text);
    assert_eq!(
        output.stdout,
        "\
defect  XenSSR~works~1  Works  r.rst:6
          XenValTestCase~works.at_all~1  a case  works.yaml:3
        ! outdated coverage by XenValTestCase~works.old~1 (works.yaml:10)

defect  XenSSR~lacks~1  Lacks a case  r.rst:16
        ! orphaned: there is no XenPRQ~parnt~1 (r.rst:19); did you mean `XenPRQ~parent~2`?
        ! no XenValTestCase covers it

defect  XenPRQ~parent~2  Parent  r.rst:26
        ! no XenSSR covers it

defect  XenValTestCase~works.old~1  a case  works.yaml:9
        ! outdated: XenSSR~works~0 is now XenSSR~works~1 (works.yaml:10)

3 items, 2 cases, 4 defects
"
    );
    assert_eq!(output.code, 1);
}

/// A trace without defects has exit code 0 and says so.
#[test]
fn clean_trace_exits_with_zero() {
    let output = trace(&Catalog::parse("r.rst", b"req~a~1\n"), CASE, Format::Text);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (
            0,
            "ok      req~a~1    r.rst:1\n\n1 item, 0 cases, 0 defects\n"
        )
    );
}

/// The JSON answers have the same content and name their schema.
#[test]
fn json_says_the_same() {
    let read =
        |output: &Output| serde_json::from_str::<serde_json::Value>(&output.stdout).expect("JSON");
    let listed = read(&list(&catalog(), CASE, Format::Json));
    assert_eq!(listed["schema"], "requirements-list/2");
    assert_eq!(
        listed["items"][0]["cases"],
        serde_json::json!(["XenValTestCase~works.at_all~1"])
    );
    assert_eq!(listed["items"][1]["group"], "Some boards only");
    let note = &listed["diagnostics"][0];
    assert_eq!(note["severity"], "warning");
    assert_eq!(
        (&note["line"], &note["column"], &note["width"]),
        (&28.into(), &1.into(), &9.into())
    );
    let output = trace(&catalog(), CASE, Format::Json);
    let traced = read(&output);
    assert_eq!((output.code, output.stderr.as_str()), (1, ""));
    assert_eq!(
        (&traced["schema"], &traced["defects"]),
        (&"requirements-trace/2".into(), &4.into())
    );
    let lacks = &traced["items"][1];
    assert_eq!(
        (&lacks["coverage"], &lacks["missing"][0]),
        (&"uncovered".into(), &"XenValTestCase".into())
    );
    assert_eq!(
        (&lacks["out"][0]["link"], &lacks["out"][0]["other"]),
        (&"orphaned".into(), &serde_json::Value::Null)
    );
}

/// A refusal has exit code 2, in either format.
#[test]
fn refusal_exits_with_two() {
    let problems = [Diagnostic::error("missing", 0, "cannot be read: gone")];
    let output = refused(&problems, Format::Text);
    assert_eq!(
        (output.code, output.stderr.as_str()),
        (2, "error: cannot be read: gone\n  --> missing\n\n")
    );
    let output = refused(&problems, Format::Json);
    assert_eq!((output.code, output.stderr.as_str()), (2, ""));
    assert!(output.stdout.contains("requirements-refused/2"));
}

/// Text of a file cannot control the terminal.
#[test]
fn titles_are_printed_safely() {
    let text = "T\u{1b}[2J\n---\nreq~a~1\n";
    for command in [list, trace] {
        let output = command(
            &Catalog::parse("r.rst", text.as_bytes()),
            CASE,
            Format::Text,
        );
        assert!(!output.stdout.contains('\u{1b}'), "{}", output.stdout);
    }
}

/// A tree in which no link fits is traced quickly: the number of suggestions is limited.
#[test]
fn broken_tree_is_traced() {
    let text: String = (0..20_000)
        .map(|n| format!("req~item_{n}~1\nCovers:\n- req~thing_{n}~1\n\n"))
        .collect();
    let catalog = Catalog::parse("r.rst", text.as_bytes());
    let output = trace(&catalog, CASE, Format::Text);
    assert_eq!(
        output.stdout.matches("orphaned: there is no").count(),
        20_000
    );
    assert!(
        output
            .stdout
            .ends_with("20000 items, 0 cases, 20000 defects\n")
    );
}
