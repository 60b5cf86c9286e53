//! Sources as they are found on machines.

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

/// Both stanzas are read, comments between fields skipped.
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

/// A stanza that apt would not use for packages gives nothing.
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

/// Each line is read with its options, and whatever is no enabled package source is skipped.
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

/// The backports come from the mirror of the release, under its key and options, whichever form
/// named it; other people's sources play no part.
#[test]
fn backports_come_from_the_release_mirror() {
    let third_party = "Types: deb\nURIs: https://other.example/node\nSuites: nodistro\nComponents: main\nSigned-By: /other.gpg\n\n";
    let table = [
        (
            field_form(&format!("{third_party}{BOTH_STANZAS}")),
            "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm-backports\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n",
        ),
        (
            one_line_form(
                "deb cdrom:[x]/ bookworm main\ndeb [arch=riscv64] http://other.example stable other\n#deb http://old.example/debian bookworm main\n\
                 deb https://m.example/debian-security bookworm-security main\ndeb [signed-by=/k.gpg check-valid-until=no] https://m.example/debian bookworm main",
            ),
            "Types: deb\nURIs: https://m.example/debian\nSuites: bookworm-backports\nComponents: main\nSigned-By: /k.gpg\nCheck-Valid-Until: no\n",
        ),
        (
            field_form(
                "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEZ\n",
            ),
            "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm-backports\nComponents: main\nSigned-By: \n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEZ\n",
        ),
    ];
    for (sources, wanted) in table {
        let text = backports(&sources, false).unwrap().unwrap();
        assert_eq!(text, wanted);
        // Read back, it is what was looked for: the next run adds nothing.
        let mut again = sources.clone();
        again.extend(field_form(&text));
        assert_eq!(backports(&again, true), Ok(None));
    }
}

/// A source of backports that is enabled is left alone, one that is not does not count, and a file
/// of ours is never written over.
#[test]
fn backports_are_added_once() {
    let release = one_line_form("deb http://m.example/debian bookworm main");
    let with = |line: &str| [release.clone(), one_line_form(line)].concat();
    assert_eq!(
        backports(
            &with("deb http://m.example/debian bookworm-backports main"),
            false
        ),
        Ok(None)
    );
    assert!(matches!(
        backports(
            &with("#deb http://m.example/debian bookworm-backports main"),
            false
        ),
        Ok(Some(_))
    ));
    assert!(matches!(
        backports(
            &with("deb http://m.example/debian bookworm-backports contrib"),
            false
        ),
        Ok(Some(_))
    ));
    assert_eq!(backports(&release, true), Err(SourceError::OwnFile));
    assert_eq!(backports(&[], false), Err(SourceError::NoMirror));
    assert_eq!(
        backports(&one_line_form("deb cdrom:x bookworm main"), false),
        Err(SourceError::NoMirror)
    );
}

/// Files are read in both forms, and those that apt ignores are ignored.
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
