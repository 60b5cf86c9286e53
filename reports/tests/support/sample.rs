//! A run in which every verdict, class and oddity occurs.

use model::{AggregateVerdict, Check, Class, Level, Subject};
use reports::view::{Access, Case, Parent, Requirement, Run, Scenario, Section, Smmu, Tree};

/// Makes the run.
pub fn run() -> Run {
    Run {
        suite_version: "0.1.0".to_owned(),
        subject: Subject {
            name: "reference".to_owned(),
            version: "0.1.0".to_owned(),
            arch: "aarch64".to_owned(),
            digest: format!("sha256:{}", "5f2b9a04c1d7e836".repeat(4)),
            level: Level::default(),
        },
        command: "cargo xtask conformance --subject reference --arch aarch64 --seed 0x5eed".to_owned(),
        seed: "0x5eed".to_owned(),
        accelerator: "tcg".to_owned(),
        conformant: false,
        requirements: requirements(),
        parents: vec![Parent {
            id: "XenPRQ~device_passthrough~1".to_owned(),
            title: "Device passthrough".to_owned(),
            direct: AggregateVerdict::NotVerified,
            inherited: AggregateVerdict::Fail,
        }],
        notices: Vec::new(),
        problems: vec!["waiver of XenValTestCase~assign_non_dma_platform_device.spi_limit~1 expired on 2026-10-01".to_owned()],
        millis: Some(4321),
    }
}

fn requirements() -> Vec<Requirement> {
    let hide = case(
        "hide_iommu_from_domain.mmio_sweep",
        "Every page of the SMMU faults",
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
        "assign_non_dma_platform_device.spi_limit",
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
            "Arm64",
            AggregateVerdict::Fail,
            vec![edge, moved],
        ),
        requirement(
            "assign_non_dma_platform_device",
            "Assign a platform device without DMA",
            "Arm64",
            AggregateVerdict::Broken,
            vec![rtc, limit],
        ),
        Requirement {
            mandatory: false,
            ..requirement(
                "assign_dma_platform_device_with_iommu",
                "Assign a DMA-capable platform device behind an IOMMU",
                "Arm64",
                AggregateVerdict::Skip,
                vec![dma],
            )
        },
    ]
}

fn requirement(
    name: &str,
    title: &str,
    group: &str,
    verdict: AggregateVerdict,
    cases: Vec<Case>,
) -> Requirement {
    let section = |title: &str, text: &str| Section {
        title: title.to_owned(),
        text: text.to_owned(),
    };
    Requirement {
        id: format!("XenSSR~{name}~1"),
        title: title.to_owned(),
        group: group.to_owned(),
        sections: vec![
            section(
                "Description",
                "The hypervisor shall do as the title says.\nOn every platform.",
            ),
            section(
                "Rationale",
                "Device memory is given page by page;\n - no more than asked,\n - no less.",
            ),
        ],
        parents: vec!["XenPRQ~device_passthrough~1".to_owned()],
        mandatory: true,
        verdict,
        cases,
    }
}

fn case(name: &str, title: &str, class: Class, scenarios: Vec<Scenario>) -> Case {
    let worst = scenarios.iter().map(|scenario| scenario.verdict);
    let (requirement, _) = name
        .split_once('.')
        .expect("a case is named after its requirement");
    Case {
        id: format!("XenValTestCase~{name}~1"),
        title: title.to_owned(),
        class,
        covers: vec![format!("XenSSR~{requirement}~1")],
        verdict: worst
            .max_by_key(|verdict| verdict.is_red())
            .unwrap_or(AggregateVerdict::NotVerified),
        scenarios,
    }
}

fn scenario(name: &str, verdict: AggregateVerdict, reason: &str, checks: Vec<Check>) -> Scenario {
    Scenario {
        id: name.to_owned(),
        verdict,
        reason: reason.to_owned(),
        checks,
        evidence: Some(format!("target/conformance/reference-aarch64/{}", name.replace(['/', '<', '='], "_"))),
        reproduce: format!("cargo xtask reproduce '{name}' --seed 0x5eed"),
        trees: vec![
            Tree { name: "host".to_owned(), dts: "/dts-v1/;\n\n/ {\n    #address-cells = <0x2>;\n\n    chosen {\n        xen,xen-bootargs = \"console=on\";\n    };\n};\n".to_owned() },
            Tree { name: "dA, partial".to_owned(), dts: "/dts-v1/;\n\n/ {\n    passthrough {\n        compatible = \"simple-bus\";\n    };\n};\n".to_owned() },
        ],
        console: "(HV) domain dA is d1: 8 MiB, 1 vCPU\n(HV) d1: @pt1 5eed0001 01 0001 9a3c11ff hello 1 el=1\n".to_owned(),
        smmu: None,
        seed: "0x5eed0001".to_owned(),
        digests: vec![
            ("host tree".to_owned(), "sha256:0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9".to_owned()),
            ("probe image".to_owned(), "sha256:ffee".to_owned()),
        ],
        millis: Some(38),
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
    scenario(name, AggregateVerdict::Pass, "", checks)
}

fn failed() -> Scenario {
    let checks = vec![
        check("sentinel", "runs to its end", "runs to its end"),
        check(
            "dA",
            "is never created",
            "ran to its end, having said hello from EL1",
        ),
        check("dA: r32 0x10000000000", "nothing", "val 0x00000061"),
    ];
    let access = |fate: &str, access: &str, traced, queued| Access {
        stream: "0x18".to_owned(),
        fate: fate.to_owned(),
        access: access.to_owned(),
        traced,
        queued,
    };
    Scenario {
        smmu: Some(Smmu {
            accesses: vec![
                access("F_TRANSLATION", "write 0x50000000", 2, 2),
                access("aborted", "0x50000004", 1, 0),
            ],
            notes: vec!["the event queue of the SMMU at 0x9050000 is off".to_owned()],
        }),
        ..scenario(
            "beyond_ipa/guest=1<<40",
            AggregateVerdict::Fail,
            "the domain was created with a device at 0x10000000000, one byte past its IPA space",
            checks,
        )
    }
}

fn broken() -> Scenario {
    Scenario {
        console: "(HV) d1: <script>alert(\"guest\")</script>\n(HV) d1: \x1b[31mred\x1b[0m \u{202e}reversed\0\n".to_owned(),
        evidence: None,
        trees: vec![],
        ..scenario("rtc_alarm/edge", AggregateVerdict::Broken, "QEMU died with status 1: qemu-system-aarch64: cannot set up guest memory", vec![])
    }
}

fn waived() -> Scenario {
    let checks = vec![check("dA", "is never created", "ran")];
    scenario(
        "spi_limit/64",
        AggregateVerdict::Waived,
        "the domain was created; waived until 2026-12-31: fix under review",
        checks,
    )
}

fn skipped() -> Scenario {
    Scenario {
        trees: vec![],
        console: String::new(),
        evidence: None,
        digests: vec![],
        millis: None,
        ..scenario(
            "dma_own_rw/edu",
            AggregateVerdict::Skip,
            "the profile lacks capability iommu",
            vec![],
        )
    }
}
