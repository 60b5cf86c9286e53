//! Sources of machines, and what is added to them.

use apt_sources::{field_form, one_line_form};

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

/// The backports come from the mirror of the release, with its key and options, in either form. Sources of third
/// parties are ignored.
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
        // The written source is recognised when it is read back: the next run adds nothing.
        let mut again = sources.clone();
        again.extend(field_form(&text));
        assert_eq!(backports(&again, true), Ok(None));
    }
}

/// An enabled source of backports is left alone, a disabled one does not count, and an existing file of ours is never
/// overwritten.
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
