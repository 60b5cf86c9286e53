//! Machines that the real QEMU makes, and its answer for one that it cannot make.

use std::collections::BTreeSet;

use libtest_mimic::Trial;
use runners::{End, File, dump_tree, machine_arguments, qemu_version, run, time_empty_start};

use crate::arch::LAST_WORDS;
use crate::image::{self, Idle, Until, act, read};
use crate::trials::{reference, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("machine::a_bad_argument_is_quoted", bad_argument),
        trial("machine::a_missing_machine_type_falls_back", fall_back),
        trial("machine::arguments_may_stand_for_the_machine", foreign),
        trial("machine::trees_repeat_and_follow_the_machine", trees),
        trial(
            "machine::the_machine_hands_over_the_tree_it_was_given",
            handed_over,
        ),
        trial(
            "machine::an_empty_start_takes_time_and_has_a_version",
            empty_start,
        ),
    ]
}

fn bad_argument() {
    let (mut request, _dir) = image::request(&LAST_WORDS);
    request
        .extra
        .extend(["-device", "no-such-device"].map(str::to_owned));
    let seen = run(&request, &mut Idle).expect("a run");
    let End::Died { status, stderr } = &seen.end else {
        panic!("{:?}", seen.end);
    };
    assert_eq!(status.code, Some(1));
    assert!(stderr.contains("no-such-device"), "{stderr}");
    assert!(seen.argv.contains(&"no-such-device".to_owned()));
}

/// A machine that foreign arguments describe, image included, starts and is controlled like any other.
fn foreign() {
    let (mut request, dir) = image::request(&LAST_WORDS);
    let code = std::fs::read(request.image.take().expect("an image")).expect("it is there");
    drop(dir);
    request.machine_args = Some(machine_arguments(&request));
    request.files.push(File::new("kernel.img", code));
    request.extra = ["-kernel", "kernel.img"].map(str::to_owned).to_vec();
    request.machine.cpu = "not asked for".to_owned();
    let seen = run(&request, &mut Idle).expect("a run");
    assert!(matches!(seen.end, End::PoweredOff { .. }), "{:?}", seen.end);
    assert_eq!(seen.console, b"up\n");
}

fn fall_back() {
    let (mut request, _dir) = image::request(&LAST_WORDS);
    request.machine.pin = Some("virt-99.9".to_owned());
    let seen = run(&request, &mut Idle).expect("a run");
    assert!(matches!(seen.end, End::PoweredOff { .. }), "{:?}", seen.end);
    assert!(
        seen.argv.iter().any(|arg| arg.starts_with("virt,")),
        "{:?}",
        seen.argv
    );
    let pinned = dump_tree(&image::machine()).expect("a tree");
    assert_eq!(
        dump_tree(&request.machine).expect("a tree").len(),
        pinned.len()
    );
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

fn trees() {
    let mut machine = image::machine();
    let tree = dump_tree(&machine).expect("a tree");
    assert_eq!(tree.get(..4), Some([0xd0, 0x0d, 0xfe, 0xed].as_slice()));
    assert_eq!(
        dump_tree(&machine).expect("a tree"),
        tree,
        "the same every time"
    );
    assert!(contains(&tree, "pl011@9000000") && !contains(&tree, "pl011@9040000"));
    assert!(!contains(&tree, "iommu-map"));
    image::add_iommu(&mut machine);
    machine.extra.extend(["-serial", "null"].map(str::to_owned));
    let tree = dump_tree(&machine).expect("a tree");
    assert!(contains(&tree, "pl011@9040000") && contains(&tree, "iommu-map"));
    machine.cpu = "no-such-cpu".to_owned();
    let error = dump_tree(&machine).expect_err("no tree").to_string();
    assert!(
        error.contains("no-such-cpu") && error.contains("exit code 1"),
        "{error}"
    );
}

/// Reads a big-endian word of a tree's header.
fn word(tree: &[u8], at: usize) -> usize {
    let bytes = tree.get(at..at + 4).expect("a header");
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | usize::from(*byte))
}

/// QEMU copies a tree into a larger one and rewrites the memory nodes. For QEMU's own tree, the size is the only change
/// that the guest can see.
fn handed_over() {
    let (mut request, _dir) = image::request(&LAST_WORDS);
    let tree = dump_tree(&request.machine).expect("a tree");
    request.host_dtb = Some(tree.clone());
    request.before = vec![act("tree", read(0x4800_0000, 2 * tree.len() + 20_000))];
    let seen = run(&request, &mut Until("up")).expect("a run");
    let given = seen.answers[0].answer.bytes().expect("bytes");
    assert_eq!(word(given, 0), 0xd00d_feed);
    assert_eq!(word(given, 4), given.len());
    assert_eq!(facts(given), facts(&tree));
}

/// Lists the content of a tree, sorted: path, property and value, one a line.
fn facts(tree: &[u8]) -> BTreeSet<String> {
    fn walk(path: &str, node: fdt::node::FdtNode<'_, '_>, facts: &mut BTreeSet<String>) {
        for property in node.properties() {
            facts.insert(format!(
                "{path}: {} = {:02x?}",
                property.name, property.value
            ));
        }
        for child in node.children() {
            walk(&format!("{path}/{}", child.name), child, facts);
        }
    }
    let mut facts = BTreeSet::new();
    let tree = fdt::Fdt::new(tree).expect("a tree");
    walk("", tree.find_node("/").expect("a root"), &mut facts);
    assert!(facts.len() > 100, "{facts:?}");
    facts
}

fn empty_start() {
    let machine = image::machine();
    assert!(
        time_empty_start(reference().arch, &machine)
            .expect("a start")
            .as_millis()
            > 0
    );
    assert!(
        qemu_version(&machine)
            .expect("a version")
            .starts_with("QEMU emulator version")
    );
}
