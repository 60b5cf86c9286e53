//! A run in which every verdict, class and special case occurs.

use std::collections::BTreeMap;

use model::{
    AggregateVerdict, Arch, Check, Class, DeviceAccess, IommuRecord, Ledger, Level, Parent, Place,
    Row, SCHEMA, Step, Subject, Text, Verdict,
};
use reports::view::{Case, Evidence, Requirement, Run, Scenario, Tree};

/// Makes the run.
pub fn run() -> Run {
    let words = [
        "--subject",
        "reference",
        "--arch",
        Arch::default().name(),
        "--seed",
        "24301",
    ];
    let requirements = requirements();
    let ledger = Ledger {
        schema: SCHEMA.to_owned(),
        suite: "0.1.0".to_owned(),
        subject: Subject {
            name: "reference".to_owned(),
            version: "0.1.0".to_owned(),
            arch: Arch::default(),
            digest: format!("sha256:{}", "5f2b9a04c1d7e836".repeat(4)),
            level: Level::default(),
        },
        selection: words.map(str::to_owned).into(),
        seed: 24301,
        accelerator: "tcg".to_owned(),
        conformant: false,
        requirements: requirements.iter().map(|one| one.item.clone()).collect(),
        parents: vec![Parent {
            id: "XenPRQ~device_passthrough~1".to_owned(),
            title: "Device passthrough".to_owned(),
            direct: AggregateVerdict::NotVerified,
            inherited: AggregateVerdict::Fail,
        }],
        rows: Vec::new(),
        notices: Vec::new(),
        problems: vec!["waiver of XenValTestCase~assign_non_dma_platform_device.line_limit~1 expired on 2026-10-01".to_owned()],
        times: BTreeMap::from([(String::new(), 4321)]),
    };
    Run {
        ledger,
        requirements,
    }
}

fn requirements() -> Vec<Requirement> {
    let hide = case(
        "hide_iommu_from_domain.mmio_sweep",
        "Every page of the IOMMU faults",
        Class::Fault,
        vec![passed("mmio_sweep/read"), passed("mmio_sweep/write")],
    );
    let dump = case(
        "hide_iommu_from_domain.dt_absent",
        "The guest's tree names no IOMMU",
        Class::Positive,
        vec![passed("dt_absent/two_domains")],
    );
    let edge = case(
        "map_platform_device_mmio_region_non_ident.beyond_ipa",
        "A guest address beyond the IPA width is refused",
        Class::Boundary,
        vec![
            passed("beyond_ipa/guest=1<<48"),
            failed(),
            passed("beyond_ipa/guest=1<<44"),
        ],
    );
    let moved = case(
        "map_platform_device_mmio_region_non_ident.moved",
        "The device answers at the guest address only",
        Class::Positive,
        vec![passed("moved/gpio")],
    );
    let rtc = case(
        "assign_non_dma_platform_device.rtc_alarm",
        "An alarm arrives exactly once",
        Class::Positive,
        vec![broken()],
    );
    let limit = case(
        "assign_non_dma_platform_device.line_limit",
        "The last interrupt a domain may have",
        Class::Boundary,
        vec![waived()],
    );
    let dma = case(
        "assign_dma_platform_device_with_iommu.dma_own_rw",
        "DMA reaches the domain's own memory",
        Class::Negative,
        vec![skipped()],
    );
    vec![
        requirement(
            "hide_iommu_from_domain",
            "Hide IOMMU from domain",
            "Common",
            AggregateVerdict::Pass,
            vec![hide, dump],
        ),
        requirement(
            "discover_pci_devices_from_xen",
            "Discover PCI devices",
            "Common",
            AggregateVerdict::NotVerified,
            vec![],
        ),
        requirement(
            "map_platform_device_mmio_region_non_ident",
            "Map a platform device's MMIO region elsewhere",
            "Boards",
            AggregateVerdict::Fail,
            vec![edge, moved],
        ),
        requirement(
            "assign_non_dma_platform_device",
            "Assign a platform device without DMA",
            "Boards",
            AggregateVerdict::Broken,
            vec![rtc, limit],
        ),
        optional(requirement(
            "assign_dma_platform_device_with_iommu",
            "Assign a DMA-capable platform device behind an IOMMU",
            "Boards",
            AggregateVerdict::Skip,
            vec![dma],
        )),
    ]
}

fn optional(mut requirement: Requirement) -> Requirement {
    requirement.item.optional = true;
    requirement
}

fn requirement(
    name: &str,
    title: &str,
    group: &str,
    verdict: AggregateVerdict,
    cases: Vec<Case>,
) -> Requirement {
    let text = |title: &str, text: &str| Text(title.to_owned(), text.to_owned());
    Requirement {
        item: model::Requirement {
            id: format!("XenSSR~{name}~1"),
            title: title.to_owned(),
            group: group.to_owned(),
            texts: vec![
                text(
                    "Description",
                    "The hypervisor shall do as the title says.\nOn every platform.",
                ),
                text(
                    "Rationale",
                    "Device memory is given page by page;\n - no more than asked,\n - no less.",
                ),
            ],
            parents: vec!["XenPRQ~device_passthrough~1".to_owned()],
            needs: vec!["XenValTestCase".to_owned()],
            status: "approved".to_owned(),
            place: Place {
                file: "device_passthrough/passthrough.rst".to_owned(),
                line: 7,
            },
            in_scope: true,
            optional: false,
            verdict,
        },
        cases,
    }
}

fn case(name: &str, title: &str, class: Class, scenarios: Vec<Scenario>) -> Case {
    let (requirement, _) = name
        .split_once('.')
        .expect("a case is named after its requirement");
    Case {
        id: format!("XenValTestCase~{name}~1"),
        title: title.to_owned(),
        class,
        covers: vec![format!("XenSSR~{requirement}~1")],
        verdict: AggregateVerdict::of(scenarios.iter().map(|scenario| scenario.row.verdict)),
        scenarios,
    }
}

fn scenario(name: &str, verdict: Verdict, reason: &str, checks: Vec<Check>) -> Scenario {
    let tree = |name: &str, dts: &str| Tree {
        name: name.to_owned(),
        dts: dts.to_owned(),
    };
    let digest = |of: &str, digest: &str| (of.to_owned(), format!("sha256:{digest}"));
    Scenario {
        row: Row {
            scenario: name.to_owned(),
            case: String::new(),
            title: String::new(),
            covers: Vec::new(),
            clause: None,
            place: Place::default(),
            arch: Arch::default(),
            class: Class::Positive,
            level: Level::default(),
            steps: vec![Step {
                by: "dA".to_owned(),
                action: "r32 0x9030fe0".to_owned(),
                wanted: "0x61".to_owned(),
            }],
            verdict,
            reason: reason.to_owned(),
            checks,
            seed: "0x5eed0001".to_owned(),
            digests: BTreeMap::from([
                digest("host tree", "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"),
                digest("probe image", "ffee"),
            ]),
            accelerator: "tcg".to_owned(),
            evidence: Some(format!("target/conformance/reference/{}", name.replace(['/', '<', '='], "_"))),
        },
        reproduce: format!("cargo xtask reproduce '{name}' --seed 24301"),
        millis: Some(38),
        evidence: Evidence {
            trees: vec![
                tree("host", "/dts-v1/;\n\n/ {\n    #address-cells = <0x2>;\n\n    chosen {\n        xen,xen-bootargs = \"console=on\";\n    };\n};\n"),
                tree("dA, partial", "/dts-v1/;\n\n/ {\n    passthrough {\n        compatible = \"simple-bus\";\n    };\n};\n"),
            ],
            console: "(HV) domain dA is d1: 8 MiB, 1 vCPU\n(HV) d1: @pt2 5eed0001 01 0001 9a3c11ff hello 1 el=1\n".to_owned(),
            iommu: None,
        },
    }
}

fn check(what: &str, wanted: &str, seen: &str) -> Check {
    Check {
        what: what.to_owned(),
        wanted: wanted.to_owned(),
        seen: seen.to_owned(),
        ok: wanted == seen,
    }
}

fn passed(name: &str) -> Scenario {
    let checks = vec![
        check(
            "dA: sweep r32 0x9050000 32 0x1000",
            "fault=32 ok=0",
            "fault=32 ok=0",
        ),
        check("sentinel", "runs to its end", "runs to its end"),
    ];
    scenario(name, Verdict::Pass, "", checks)
}

fn failed() -> Scenario {
    let checks = vec![
        check("sentinel", "runs to its end", "runs to its end"),
        check(
            "dA",
            "is never created",
            "ran to its end, having said hello",
        ),
        check("dA: r32 0x10000000000", "nothing", "val 0x00000061"),
    ];
    let access = |fate: &str, access: &str, traced, queued| DeviceAccess {
        stream: "0x18".to_owned(),
        fate: fate.to_owned(),
        access: access.to_owned(),
        traced,
        queued,
    };
    let mut made = scenario(
        "beyond_ipa/guest=1<<40",
        Verdict::Fail,
        "the domain was created with a device at 0x10000000000, one byte past its IPA space",
        checks,
    );
    made.evidence.iommu = Some(IommuRecord {
        rows: vec![
            access("F_TRANSLATION", "write 0x50000000", 2, 2),
            access("aborted", "0x50000004", 1, 0),
        ],
        notes: vec!["the event queue of the IOMMU at 0x9050000 is off".to_owned()],
    });
    made
}

fn broken() -> Scenario {
    let why = "QEMU died with status 1: qemu-system: cannot set up guest memory";
    let mut made = scenario("rtc_alarm/edge", Verdict::Broken, why, vec![]);
    made.row.evidence = None;
    made.evidence.trees.clear();
    made.evidence.console = "(HV) d1: <script>alert(\"guest\")</script>\n(HV) d1: \x1b[31mred\x1b[0m \u{202e}reversed\0\n".to_owned();
    made
}

fn waived() -> Scenario {
    let checks = vec![check("dA", "is never created", "ran")];
    scenario(
        "line_limit/64",
        Verdict::Waived,
        "the domain was created; waived until 2026-12-31: fix under review",
        checks,
    )
}

fn skipped() -> Scenario {
    let mut made = scenario(
        "dma_own_rw/edu",
        Verdict::Skip,
        "the profile lacks capability iommu",
        vec![],
    );
    made.row.evidence = None;
    made.row.digests.clear();
    made.millis = None;
    made.evidence = Evidence::default();
    made
}
