use std::os::unix::fs::symlink;

use super::*;
use crate::{Location, Status};

/// Writes files into a new directory.
fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let top = tempfile::tempdir().expect("a directory for temporary files");
    for (file, text) in files {
        let path = top.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    top
}

/// Shows diagnostics as severity, line and message, without the temporary directory.
fn shown(top: &Path, notes: &[Diagnostic]) -> Vec<String> {
    let file = |note: &Diagnostic| note.file.replace(&show(top), "");
    notes
        .iter()
        .map(|note| {
            format!(
                "{:?} {}:{} {}",
                note.severity,
                file(note),
                note.line,
                note.message
            )
        })
        .collect()
}

/// All files below a directory are read in the order of their names, rst and source files alike.
#[test]
fn tree_is_read_in_order() {
    let top = tree(&[
        ("b/x.rst", b"req~c~1\n"),
        ("b.RST", b"req~b~1\n"),
        ("a/z.rs", b"// [impl~z~1->req~b~1]\n"),
        ("a/notes.md", b"req~not~1\n"),
        ("c", b"req~not~2\n"),
    ]);
    let outside = tree(&[("far.rst", b"req~far~1\n"), ("one.rst", b"req~one~1\n")]);
    symlink(outside.path(), top.path().join("link")).expect("a link to a directory");
    symlink(outside.path().join("one.rst"), top.path().join("d.rst")).expect("a link to a file");
    let catalog = Catalog::load(top.path()).expect("a catalog");
    let ids: Vec<&str> = catalog
        .items()
        .iter()
        .map(|item| item.id.as_str())
        .collect();
    assert_eq!(ids, ["impl~z~1", "req~c~1", "req~b~1", "req~one~1"]);
    let first = catalog.items().first().expect("an item");
    assert_eq!(
        first.at.to_string(),
        format!("{}/a/z.rs:1", show(top.path()))
    );
}

/// A path may also name one file.
#[test]
fn single_file_is_read() {
    let top = tree(&[("a.rst", b"req~a~1\n"), ("b.rst", b"req~b~1\n")]);
    let catalog = Catalog::load(&top.path().join("b.rst")).expect("a catalog");
    assert_eq!(catalog.items().len(), 1);
}

/// Unusable files are refused, all at once, with their places.
#[test]
fn all_errors_are_told_at_once() {
    let top = tree(&[
        ("a.rst", b"T\n---\n\nreq~a~1\n\nbad \xff byte\n"),
        ("b.rst", b"req~b~9999999999\n"),
        ("c.rst", b"req~c~1\nComments:\n"),
        ("d.rs", b"\xff [impl~x~1->req~c~1]\n"),
    ]);
    let notes = Catalog::load(top.path()).expect_err("errors");
    assert_eq!(
        shown(top.path(), &notes),
        [
            "Error /a.rst:6 byte 0xff is not UTF-8",
            "Error /b.rst:1 `req~b~9999999999` has a revision above 2147483647",
            "Warning /c.rst:2 `Comments:` is no keyword of OpenFastTrace; it is read as `Comment:`",
        ]
    );
    let columns: Vec<_> = notes.iter().map(|note| note.column).collect();
    assert_eq!(columns, [5, 7, 1]);
}

/// A missing path is an error, and so is a path without any item.
#[test]
fn nothing_to_read_is_an_error() {
    let top = tree(&[("a.txt", b"req~a~1\n"), ("b.rst", b"text\n")]);
    let missing = top.path().join("missing");
    let empty = top.path().join("a.txt");
    let notes = Catalog::load_all(&[&missing, &empty, top.path()]).expect_err("errors");
    assert_eq!(
        shown(top.path(), &notes),
        [
            "Error /missing:0 cannot be read: No such file or directory (os error 2)",
            "Error /a.txt:0 no item in 0 files that may hold items",
            "Error :0 no item in 1 file that may hold items",
        ]
    );
}

/// Warnings do not prevent the use of a catalog, and stay with it.
#[test]
fn warnings_go_with_the_catalog() {
    let catalog = Catalog::parse("a.rst", b"req~a~1\nComments:\nx\n");
    assert_eq!((catalog.items().len(), catalog.diagnostics().len()), (1, 1));
}

/// Items are found by id, by name and by kind; the first of several with one id counts.
#[test]
fn items_are_found() {
    let mut catalog = Catalog::parse("a.rst", b"req~a~1\nfirst\n\nreq~a~2\n\ndsn~a~1\n");
    let id: Id = "req~a~1".parse().expect("an id");
    let at = Location {
        file: "b.yaml".into(),
        line: 1,
    };
    catalog.add(Item {
        status: Status::Draft,
        ..Item::new(id.clone(), at)
    });
    assert_eq!(
        catalog.get(&id).map(|item| item.description.as_str()),
        Some("first")
    );
    assert_eq!(catalog.find("req", "a").count(), 3);
    assert_eq!(catalog.of_kind("dsn").count(), 1);
    assert_eq!(catalog.get(&"req~a~3".parse().expect("an id")), None);
}

/// The nearest id is another revision of the same name, or else the one with the fewest typing errors.
#[test]
fn nearest_id_is_found() {
    let catalog = Catalog::parse(
        "a.rst",
        b"req~hide_iommu~1\n\nreq~hide_iommu~3\n\nreq~show_iommu~2\n",
    );
    for (wanted, near) in [
        ("req~hide_iommu~2", Some("req~hide_iommu~3")),
        ("req~hide_iomu~3", Some("req~hide_iommu~3")),
        ("req~show_iommu", Some("req~show_iommu~2")),
        ("something else", None),
    ] {
        assert_eq!(catalog.nearest(wanted).map(Id::as_str), near, "{wanted}");
    }
}
