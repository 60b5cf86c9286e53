use super::*;
use crate::sample::{folder, loaded, profile, scenarios};
use crate::scenario::generate;

/// Returns all errors of loading and expanding these files, without `folder/`.
fn problems(files: &[(&str, &str)]) -> Vec<String> {
    let folder = folder(files);
    let (loaded, mut found) = read(folder.path());
    found.extend(
        generate::scenarios(&loaded, &profile())
            .err()
            .unwrap_or_default(),
    );
    let place = format!("{}/", folder.path().display());
    found
        .iter()
        .map(|problem| problem.to_string().replace(&place, ""))
        .collect()
}

#[track_caller]
fn check(text: &str, wanted: &[&str]) {
    let found = problems(&[("demo.yaml", text)]);
    assert_eq!(found.len(), 1, "{found:#?}");
    for part in wanted {
        assert!(found[0].contains(part), "wanted {part:?} in\n{}", found[0]);
    }
}

const HEAD: &str = "requirement: XenSSR~demo~2\ncases:\n";

fn case(rest: &str) -> String {
    format!("{HEAD}  - id: XenValTestCase~demo.one~1\n    title: One\n    class: positive\n{rest}")
}

/// Each error of a file names the file, the line, the line's text and, if known, what was meant.
#[test]
fn errors_name_place_and_culprit() {
    let fine = "    domains: [{name: dA}]\n";
    assert_eq!(problems(&[("demo.yaml", &case(fine))]), [""; 0]);
    check(
        &case("    domains:\n      - name: dA\n        scrip: [read32 0x10]\n"),
        &[
            "unknown field `scrip`",
            "demo.yaml:8:9\n",
            "scrip: [read32 0x10]",
            "did you mean `script`?",
        ],
    );
    check(
        &case(fine).replace("~demo~2", "~demo~1"),
        &[
            "the requirement is at revision 2",
            "demo.yaml:1:14\n",
            "requirement: XenSSR~demo~1",
        ],
    );
    check(
        &case(fine).replace("~demo~2", "~dmo~2"),
        &[
            "nothing defines `XenSSR~dmo~2`; did you mean `XenSSR~demo~2`?",
            "demo.yaml:1",
        ],
    );
    check(
        &case(&format!(
            "    covers: [XenSSR~demo~2, XenSSR~other~2]\n{fine}"
        )),
        &[
            "is at revision 1, `XenSSR~other~1`",
            "demo.yaml:6:29\n",
            "covers: [",
        ],
    );
    check(
        &case(fine).replace("~demo.one~1", "~other.one~1"),
        &[
            "stands under XenSSR~demo~2",
            "XenValTestCase~demo.<suffix>~<revision>",
            "demo.yaml:3",
        ],
    );
    check(
        &case(fine).replace("~demo.one~1", "~demo.~1"),
        &["demo.yaml:3"],
    );
    check(
        &case(fine).replace("XenValTestCase~demo", "XenSSR~demo"),
        &["should begin with `XenValTestCase~`", "demo.yaml:3"],
    );
    check(
        &case(fine).replace("demo.one~1", "demo.one"),
        &["demo.yaml:3:9\n", "XenValTestCase~demo.one"],
    );
    check(
        &case(fine).replace("class: positive", "class: positiv"),
        &["demo.yaml:5:12\n", "did you mean `positive`?"],
    );
    check(
        &format!("{HEAD}  []\n"),
        &["XenSSR~demo~2 has no case", "demo.yaml:2"],
    );
    check("", &["demo.yaml"]);
    check("requirement: [\n", &["demo.yaml:1", "requirement: ["]);
    check(
        &case("    domains: [{name: dA, script: [read33 0x10]}]\n"),
        &[
            "demo.yaml:6:35\n",
            "`read33` is no operation",
            "did you mean",
        ],
    );
    check(
        &case("    domains: [{name: dA, script: [read32 0x10 => nothin]}]\n"),
        &["demo.yaml:6", "did you mean `nothing`?"],
    );
    check(
        &case("    domains: [{name: dA, script: ['read32 ${uarx}']}]\n"),
        &["demo.yaml:6", "did you mean `uart`?"],
    );
    check(
        &case("    domains: [{name: dA, tree: [nod /x]}]\n"),
        &["demo.yaml:6", "is no rule for a tree"],
    );
    check(
        &case(&format!("    needs: [platform-device]\n{fine}")),
        &["demo.yaml:6", "platform-devices"],
    );
    check(
        &case(&format!("    machine: {{iommu: twice}}\n{fine}")),
        &["demo.yaml:6", "twice"],
    );
    check(
        &case(&format!("{fine}    host: [sett /x y]\n")),
        &["demo.yaml:7", "did you mean `set`?"],
    );
    check(
        &case(&format!(
            "{fine}    outside: [{{at: dA here, do: [stop]}}]\n"
        )),
        &["demo.yaml:7", "no `mark here`"],
    );
    check(
        &case(&format!(
            "{fine}    outside: [{{at: end, do: [write8 0x10 0x100]}}]\n"
        )),
        &["demo.yaml:7", "does not fit 8 bits"],
    );
    check(
        &case("    domains: [{name: dA, devices: [{node: x, reg: [1 2 3 x 0x100000000 1 1]}]}]\n"),
        &["demo.yaml:6", "are the most"],
    );
    check(
        &case("    domains: [{name: dA, partial: {pad: 0x100000000}}]\n"),
        &["demo.yaml:6", "of padding"],
    );
    check(
        &case("    domains: [{name: dA, partial: {corrupt: trunkate}}]\n"),
        &["demo.yaml:6", "truncate"],
    );
}

/// Domains that cannot be distinguished, or that have no output, are errors.
#[test]
fn domains_can_be_told_apart_and_heard() {
    check(
        &case("    domains: [{name: dA}, {name: dA}]\n"),
        &["two domains are called `dA`"],
    );
    check(
        &case("    domains: [{name: sentinel}]\n"),
        &["is the suite's own domain"],
    );
    check(
        &case("    domains: [{name: ../dA}]\n"),
        &["is no node name"],
    );
    check(
        &case("    domains: [{name: dA, vpl011: false, refused: []}]\n"),
        &["cannot be seen"],
    );
    check(
        &case("    sentinel: false\n    domains: [{name: dA, refused: []}]\n"),
        &["no domain has a console", "demo.yaml:6"],
    );
}

/// A duplicate id is reported at its second place and names the first, in one file or in two.
#[test]
fn an_id_stands_once() {
    let one = case("    domains: [{name: dA}]\n");
    let twice = format!("{one}{}", one.strip_prefix(HEAD).unwrap());
    check(
        &twice,
        &[
            "defined twice, first in demo.yaml:3",
            "--> demo.yaml:7",
            "- id: XenValTestCase~demo.one~1",
        ],
    );
    let found = problems(&[("a.yaml", &one), ("b.yaml", &one)]);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(
        found[0].contains("first in a.yaml:3") && found[0].contains("--> b.yaml:3"),
        "{}",
        found[0]
    );
    // A longer id that begins with the same text is another id.
    let longer = twice.replacen("demo.one~1", "demo.one~10", 1);
    let bad = longer.replace("[{name: dA}]", "[{name: dA, script: [read33 0x1]}]");
    let places: Vec<String> = problems(&[("demo.yaml", &bad)]);
    assert!(
        places[0].contains("demo.yaml:6") && places[1].contains("demo.yaml:10"),
        "{places:#?}"
    );
}

/// All errors of all files are reported at once: syntax in one, references in another, several lines of a script in a
/// third.
#[test]
fn all_errors_come_at_once() {
    let script = case(
        "    domains: [{name: dA, script: [read33 0x10, read34 0x20], tree: [nod /x]}, {name: dB, cpus: x}]\n",
    );
    let reference = case("    domains: [{name: dA}]\n")
        .replace("~demo~2", "~demo~3")
        .replace("demo.one", "demo.two");
    let found = problems(&[
        ("a.yaml", "requirement: [\n"),
        ("b.yaml", &reference),
        ("c.yaml", &script),
    ]);
    let files = [
        "a.yaml:1", "b.yaml:1", "c.yaml:6", "c.yaml:6", "c.yaml:6", "c.yaml:6",
    ];
    assert_eq!(found.len(), files.len(), "{found:#?}");
    for (found, file) in found.iter().zip(files) {
        assert!(found.contains(&format!("--> {file}")), "{found}");
    }
}

/// An error in the library comes with those of the case files, and causes no false ones.
#[test]
fn library_errors_come_with_the_cases() {
    let folder = folder(&[
        (
            "demo.yaml",
            &case("    domains: [{name: dA, devices: [lamp]}]\n"),
        ),
        ("x.yaml", "requirement: [\n"),
    ]);
    let devices = folder.path().join(library::DEVICES);
    fs::create_dir(&devices).unwrap();
    fs::write(devices.join("lamp.yaml"), "device: lamp\n").unwrap();
    let (loaded, mut found) = read(folder.path());
    found.extend(
        generate::scenarios(&loaded, &profile())
            .err()
            .unwrap_or_default(),
    );
    let files: Vec<bool> = found
        .iter()
        .map(|problem| problem.file.ends_with("lamp.yaml"))
        .collect();
    assert_eq!(files, [true, false], "{found:#?}");
}

/// A profile that names a machine that does not exist is reported with the nearest one.
#[test]
fn the_machine_of_a_profile_exists() {
    let mut profile = profile();
    profile.board = Some("vrit".to_owned());
    let loaded = loaded(
        "  - id: XenValTestCase~demo.one~1\n    title: One\n    class: positive\n    domains: [{name: dA}]\n",
    );
    let told = generate::scenarios(&loaded, &profile).unwrap_err();
    assert!(
        told[0].message.contains("did you mean `virt`?"),
        "{told:#?}"
    );
}

/// An error outside of the rows is reported once, not once for each row; one inside a row is reported at its place.
#[test]
fn rows_do_not_multiply_errors() {
    let rows = "    parameters: [{name: a, x: 1}, {name: b, x: 2}]\n    domains: [{name: dA, script: [read33 0x10]}]\n";
    check(&case(rows), &["demo.yaml:7"]);
    let row = "    parameters:\n      - {name: a, x: 0x1}\n      - {name: b, x: zzz}\n    domains: [{name: dA, cpus: '${x}'}]\n";
    check(&case(row), &["nothing defines `zzz`", "demo.yaml:9"]);
    let unnamed = "    parameters: [{x: 1}]\n    domains: [{name: dA}]\n";
    check(&case(unnamed), &["a row needs `name`", "demo.yaml:6"]);
    let same = "    parameters: [{name: a}, {name: a}]\n    domains: [{name: dA}]\n";
    check(
        &case(same),
        &["two rows are called `demo.one/a`", "demo.yaml:6"],
    );
    let bad = "    parameters: [{name: a b}]\n    domains: [{name: dA}]\n";
    check(&case(bad), &["is no name for a row", "demo.yaml:6"]);
}

/// Errors in a requirement file do not hide those of the case files, and cause no false ones.
#[test]
fn requirement_errors_come_with_the_cases() {
    let folder = folder(&[
        ("demo.yaml", &case("    domains: [{name: dA}]\n")),
        ("x.yaml", "requirement: [\n"),
    ]);
    fs::write(folder.path().join("b.rst"), [0xff, 0xfe]).unwrap();
    let (_, found) = read(folder.path());
    let files: Vec<bool> = found
        .iter()
        .map(|problem| problem.file.ends_with("x.yaml"))
        .collect();
    assert_eq!(files, [false, true], "{found:#?}");
}

/// Each row is a scenario of its own, named by `name`, in the order written; expressions and parameters are replaced.
#[test]
fn rows_become_scenarios() {
    let text = "  - id: XenValTestCase~demo.one~1
    title: One
    class: boundary
    parameters: [{name: b, at: 0x10, cpus: ''}, {name: a, at: '${gpio.IE}', cpus: 4}]
    domains: [{name: dA, cpus: '${cpus}', script: ['read32 ${at}']}]
  - id: XenValTestCase~demo.two~1
    title: Two
    class: fault
    domains: [{name: dA}]
";
    let made = scenarios(text);
    let ids: Vec<&str> = made.iter().map(|scenario| scenario.id.as_str()).collect();
    assert_eq!(ids, ["demo.one/b", "demo.one/a", "demo.two"]);
    let shown = |place: usize| {
        (
            made[place].domains[0].lines[0].op.to_string(),
            made[place].domains[0].cpus,
        )
    };
    assert_eq!(shown(0), ("r32 0x10".to_owned(), 1));
    assert_eq!(shown(1), ("r32 0x9030410".to_owned(), 4));
    assert_eq!(made[0].folder(), "demo.one@b");
}

/// A wrong line about the IOMMU is reported with its place, and so is a machine without an IOMMU.
#[test]
fn events_are_checked_where_they_stand() {
    let with = |machine: &str, events: &str| {
        case(&format!(
            "    machine: {{iommu: {machine}}}\n    domains: [{{name: dA}}]\n    iommu_events:\n{events}"
        ))
    };
    let fine = with(
        "true",
        "      - 0x18 F_TRANSLATION\n      - others => none\n",
    );
    assert_eq!(problems(&[("demo.yaml", &fine)]), [""; 0]);
    check(
        &with("true", "      - 0x18 event\n      - 0x18 F_TRANSLATON\n"),
        &[
            "demo.yaml:10",
            "- 0x18 F_TRANSLATON",
            "did you mean `F_TRANSLATION`?",
        ],
    );
    check(
        &with("true", "      - 0x18 event\n      - 24 event => none\n"),
        &["`24 event` is written twice"],
    );
    check(
        &with("false", "      - 0x18 event\n"),
        &["demo.yaml:8", "iommu_events:", "the machine has no IOMMU"],
    );
}

/// What the defaults of a file say holds for the cases that do not say it. A key of a case replaces it as a whole.
#[test]
fn defaults_hold_unless_a_case_says_otherwise() {
    use model::Capability::{Iommu, Pci, PciHotplug};
    let case = |name: &str, rest: &str| {
        format!(
            "  - {{id: XenValTestCase~demo.{name}~1, title: T, class: positive, domains: [{{name: dA}}]{rest}}}\n"
        )
    };
    let needs = |defaults: &str, rest: &str| {
        let text = format!(
            "requirement: XenSSR~demo~2\ndefaults: {{{defaults}}}\ncases:\n{}",
            case("one", rest)
        );
        let loaded = load(folder(&[("demo.yaml", &text)]).path()).unwrap();
        let made = generate::scenarios(&loaded, &profile()).unwrap().remove(0);
        let machine = made.machine;
        (made.needs, machine.iommu, machine.devices.len())
    };
    let both = "needs: [pci-hotplug], machine: {iommu: true, devices: [edu]}";
    let machine = "machine: {iommu: true, devices: [edu]}";
    for (defaults, rest, wanted) in [
        ("", "", (vec![], false, 0)),
        (both, "", (vec![PciHotplug], true, 1)),
        (
            both,
            ", machine: {iommu: true}",
            (vec![PciHotplug], true, 0),
        ),
        (both, ", machine: {}", (vec![PciHotplug], false, 0)),
        (both, ", needs: [pci]", (vec![Pci], true, 1)),
        (both, ", needs: []", (vec![], true, 1)),
        // A machine with an IOMMU is for subjects that drive it, unless the case says otherwise.
        (machine, "", (vec![Iommu], true, 1)),
        (machine, ", needs: []", (vec![], true, 1)),
        ("needs: []", ", machine: {iommu: true}", (vec![], true, 0)),
        ("", ", machine: {iommu: true}", (vec![Iommu], true, 0)),
    ] {
        assert_eq!(needs(defaults, rest), wanted, "{defaults}{rest}");
    }
    check(
        &case("one", "").replace(
            "  - ",
            "requirement: XenSSR~demo~2\ndefaults: {sentinel: false}\ncases:\n  - ",
        ),
        &["unknown field `sentinel`", "demo.yaml:2"],
    );
}
