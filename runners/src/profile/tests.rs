use super::*;

fn reference() -> &'static str {
    let (_, text) = arch::shipped().next().expect("a profile");
    text
}

/// Reads the reference profile after one edit, which must change something.
#[track_caller]
fn edited(from: &str, to: &str) -> Result<Profile, ProfileError> {
    assert!(reference().contains(from), "nothing to edit: {from}");
    Profile::parse(&reference().replacen(from, to, 1), "p.toml")
}

/// Every shipped profile can be read and is found by its name.
#[test]
fn shipped_profiles_read() {
    for (file, text) in arch::shipped() {
        let profile = Profile::parse(text, file)
            .expect("shipped")
            .lying_in(Some(Path::new(FOLDER)));
        assert_eq!(Profile::shipped(&profile.name, profile.arch), Ok(profile));
    }
}

/// An error names file and line, and a similar name if there is one.
#[test]
fn errors_name_file_line_and_nearest_name() {
    // The text to replace, its replacement, and the error for the line on which the replacement ends.
    let table = [
        (
            "ipa_bits",
            "ipa_bit",
            "unknown field `ipa_bit`, did you mean `ipa_bits`?",
        ),
        (
            "memory_mib",
            "memory",
            "unknown field `memory`, did you mean `memory_mib`?",
        ),
        (
            "uart_irq = 32",
            "uart_irq = 32\nxyzzy = 1",
            "unknown field `xyzzy`",
        ),
        (
            "{ base = 0x2200_0000",
            "{ bse = 0x2200_0000",
            "unknown field `bse`, did you mean `base`?",
        ),
        (
            "\"domain-absent\"",
            "\"domain-abset\"",
            "unknown variant `domain-abset`, did you mean `domain-absent`?",
        ),
        (
            "\"domain-absent\"",
            "\"host-stops\"",
            "a host that stops needs `panic_format` with `names`: only what names a domain refuses it",
        ),
        (
            "level = \"strict\"",
            "level = \"strikt\"",
            "unknown variant `strikt`, did you mean `strict`?",
        ),
        (
            "\"forced-assignment\"",
            "\"forced-asignment\"",
            "`forced-asignment` is no capability, did you mean `forced-assignment`?",
        ),
        (
            "ipa_bits = 40",
            "ipa_bits = 64",
            "`ipa_bits` is 64, not 32 to 52",
        ),
        (
            "ipa_bits = 40",
            "ipa_bits = \"x\"",
            "invalid type: string \"x\"",
        ),
        (
            "deadline_ms = 10_000",
            "deadline_ms = 0",
            "`deadline_ms` is 0",
        ),
        (
            "align = 0x1000",
            "align = 0x1001",
            "`align` is 0x1001, not a power of two from a page up",
        ),
        (
            "align = 0x1000",
            "align = 0x800",
            "`align` is 0x800, not a power of two from a page up",
        ),
        (
            "image = 0x4200_0000",
            "image = \"there\"",
            "invalid type: string \"there\"",
        ),
        (
            "[machine]",
            "[machin]",
            "unknown field `machin`, did you mean `machine`?",
        ),
    ];
    for (from, to, wanted) in table {
        let at = reference().find(from).expect(from);
        let line = 1 + reference()[..at].matches('\n').count() + to.matches('\n').count();
        let error = edited(from, to).expect_err(wanted);
        assert_eq!(error.to_string(), format!("p.toml:{line}: {wanted}"));
    }
    let profile = Profile::parse(reference(), "p.toml").expect("shipped");
    let arch = format!("arch = \"{}\"\n", profile.arch);
    let error = edited(&arch, "").expect_err("no architecture");
    assert_eq!(error.to_string(), "p.toml:1: missing field `arch`");
}

/// A profile may name an adapter. Its values are checked, and it starts in the profile's folder.
#[test]
fn adapters_are_started_beside_their_profile() {
    let with = |adapter: &str| edited("\n[machine]", &format!("\n[adapter]\n{adapter}\n[machine]"));
    let profile = with("command = [\"./x\", \"y\"]").expect("an adapter");
    let adapter = |profile: &Profile| profile.adapter.clone().expect("it is there");
    assert_eq!(adapter(&profile).deadline_ms, 10_000);
    let lying = |folder: &str| adapter(&profile.clone().lying_in(Some(Path::new(folder)))).folder;
    assert_eq!(lying("/a/b"), Path::new("/a/b"));
    assert_eq!(lying(""), Path::new("."));
    for (text, wanted) in [
        ("command = []", "`command` names no program"),
        ("command = [\"\"]", "`command` names no program"),
        (
            "command = [\"x\"]\ndeadline_ms = 0",
            "`deadline_ms` of the adapter is 0",
        ),
        (
            "command = [\"x\"]\nfolder = \"/\"",
            "unknown field `folder`",
        ),
        (
            "comand = [\"x\"]",
            "unknown field `comand`, did you mean `command`?",
        ),
    ] {
        let error = with(text).expect_err(text).to_string();
        assert!(error.contains(wanted), "{text}: {error}");
    }
}

/// A profile that claims firmware must say where it is.
#[test]
fn claimed_firmware_is_said() {
    let text = reference();
    let from = text.find("[firmware]").expect("a table");
    let to = from + text[from..].find("\n[").expect("another one behind it");
    let without = format!("{}{}", &text[..from], &text[to..]);
    let told = Profile::parse(&without, "p.toml")
        .expect_err("no firmware")
        .to_string();
    assert!(told.contains("`firmware` is claimed"), "{told}");
}
