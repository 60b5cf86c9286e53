//! Sources as machines have them.

use super::*;

const BOTH_STANZAS: &str = "\
Types: deb
# http://snapshot.mirror.example/archive/debian/20250520T000000Z
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn source(uris: &str, suites: &str, components: &str, options: &[(&'static str, &str)]) -> Source {
    Source {
        uris: words(uris),
        suites: words(suites),
        components: words(components),
        options: options
            .iter()
            .map(|(field, value)| (*field, (*value).to_owned()))
            .collect(),
    }
}

/// Both stanzas are read, and comments between fields are skipped.
#[test]
fn field_form_is_read() {
    let key = [(
        "Signed-By",
        "/usr/share/keyrings/debian-archive-keyring.gpg",
    )];
    assert_eq!(
        field_form(BOTH_STANZAS),
        [
            source(
                "http://mirror.example/debian",
                "bookworm bookworm-updates",
                "main",
                &key
            ),
            source(
                "http://mirror.example/debian-security",
                "bookworm-security",
                "main",
                &key
            ),
        ]
    );
}

/// A stanza that apt would not use for packages is skipped.
#[test]
fn unused_stanzas_are_left_out() {
    let table = [
        (
            "Types: deb-src\nURIs: http://m.example\nSuites: bookworm\nComponents: main\n",
            0,
        ),
        (
            "Enabled: no\nTypes: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\n",
            0,
        ),
        (
            "#Types: deb\n#URIs: http://m.example\n#Suites: bookworm\n",
            0,
        ),
        (
            "Types: deb deb-src\nEnabled: yes\nURIs: http://m.example\nSuites: bookworm\nComponents: main\n",
            1,
        ),
        (
            "\n\n\nTypes:deb\nuris:http://m.example\nSUITES: bookworm\n\n\n\n",
            1,
        ),
        ("no colon\n continued\n: \n", 0),
        ("", 0),
    ];
    for (text, count) in table {
        assert_eq!(field_form(text).len(), count, "{text}");
    }
}

/// Each line is read with its options, and lines that are not enabled package sources are skipped.
#[test]
fn one_line_form_is_read() {
    let table = [
        (
            "deb http://m.example/debian bookworm main contrib",
            Some(source(
                "http://m.example/debian",
                "bookworm",
                "main contrib",
                &[],
            )),
        ),
        (
            "deb [arch=riscv64,s390x signed-by=/k.gpg lang=de] https://m.example/debian bookworm main # ours",
            Some(source(
                "https://m.example/debian",
                "bookworm",
                "main",
                &[("Architectures", "riscv64 s390x"), ("Signed-By", "/k.gpg")],
            )),
        ),
        (
            "  deb\t[ trusted=yes ]\tfile:/srv/debian bookworm main",
            Some(source(
                "file:/srv/debian",
                "bookworm",
                "main",
                &[("Trusted", "yes")],
            )),
        ),
        (
            "deb cdrom:[Debian GNU/Linux 12.5.0 _Bookworm_ - Official riscv64]/ bookworm main",
            Some(source(
                "cdrom:[Debian",
                "GNU/Linux",
                "12.5.0 _Bookworm_ - Official riscv64]/ bookworm main",
                &[],
            )),
        ),
        ("#deb http://m.example/debian bookworm main", None),
        ("# deb http://m.example/debian bookworm main", None),
        ("deb-src http://m.example/debian bookworm main", None),
        ("deb", None),
        (
            "deb [arch=riscv64 http://m.example/debian bookworm main",
            None,
        ),
        ("", None),
    ];
    for (line, wanted) in table {
        assert_eq!(
            one_line_form(line),
            wanted.into_iter().collect::<Vec<_>>(),
            "{line}"
        );
    }
}

/// Both forms are read, and files that apt ignores are ignored.
#[test]
fn directory_is_read_as_apt_does() {
    let folder = tempfile::tempdir().unwrap();
    let parts = folder.path().join("sources.list.d");
    fs::create_dir(&parts).unwrap();
    fs::write(
        folder.path().join("sources.list"),
        "deb http://a.example bookworm main\n",
    )
    .unwrap();
    fs::write(parts.join("b.sources"), BOTH_STANZAS).unwrap();
    fs::write(parts.join("c.list"), "deb http://c.example x main\n").unwrap();
    fs::write(
        parts.join("d.list.disabled"),
        "deb http://d.example x main\n",
    )
    .unwrap();
    fs::write(parts.join("e.sources"), [0xff, 0xfe]).unwrap();
    let uris: Vec<_> = sources(folder.path())
        .into_iter()
        .flat_map(|source| source.uris)
        .collect();
    assert_eq!(
        uris,
        [
            "http://a.example",
            "http://mirror.example/debian",
            "http://mirror.example/debian-security",
            "http://c.example"
        ]
    );
    assert_eq!(sources(Path::new("/nowhere")), []);
}

/// Only the main component of a release is a mirror, not updates, backports or media.
#[test]
fn the_mirror_is_that_of_a_release() {
    let sources = one_line_form(
        "deb http://a/debian bookworm-backports main\ndeb http://b/debian bookworm contrib\ndeb cdrom:x bookworm main\n\
         deb http://c/debian sid bookworm\ndeb http://d/debian bookworm main\ndeb http://e/debian trixie main\n",
    );
    let found = |suites: &[&str]| mirror(&sources, suites).map(|mirror| mirror.uri);
    assert_eq!(found(&["trixie", "bookworm"]), Some("http://d/debian"));
    assert_eq!(found(&["trixie"]), Some("http://e/debian"));
    assert_eq!(found(&["jammy"]), None);
}

/// Media are dropped from a source with several addresses.
#[test]
fn media_are_no_mirrors() {
    let sources =
        field_form("Types: deb\nURIs: cdrom:x http://a http://b\nSuites: s\nComponents: main\n");
    let found = mirror(&sources, &["s"]).unwrap();
    assert_eq!((found.uri, found.uris.len()), ("http://a", 2));
    assert_eq!(found.source, &sources[0]);
}
