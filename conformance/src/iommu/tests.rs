use runners::{Counted, Queue, Tally, Trace};

use super::*;

const TRANSLATION: AccessFate = AccessFate::Recorded(Reason::new(0x10, Some("F_TRANSLATION")));

fn access(fate: AccessFate, address: Option<u64>, write: Option<bool>) -> Access {
    Access {
        stream: Some(0x18),
        fate,
        address,
        write,
    }
}

fn tally(accesses: &[(Access, u64)]) -> Tally {
    let counted = accesses.iter().map(|(access, count)| Counted {
        access: *access,
        count: *count,
    });
    Tally {
        seen: counted.collect(),
        more: 0,
    }
}

/// A machine with one IOMMU whose queue has room for eight records.
fn seen(traced: &[(Access, u64)], queued: &[(Access, u64)]) -> Iommus {
    Iommus {
        trace: Trace {
            accesses: tally(traced),
            lost: None,
        },
        queues: vec![Queue {
            iommu: 0x0905_0000,
            base: 0x4030_0000,
            slots: 8,
            on: true,
            accesses: tally(queued),
            ..Queue::default()
        }],
    }
}

fn lines(iommus: &Iommus) -> Vec<String> {
    merge_sources(iommus)
        .rows
        .iter()
        .map(ToString::to_string)
        .collect()
}

/// An access that both sources have is one row, with the address from one and the direction from the other.
#[test]
fn sources_are_put_together() {
    let bad = AccessFate::Recorded(Reason::new(4, Some("C_BAD_CD")));
    let iommus = seen(
        &[
            (
                access(AccessFate::Translated(0x5000), Some(0x1000), None),
                3,
            ),
            (access(TRANSLATION, Some(0x2000), None), 2),
            (access(bad, Some(0x3000), None), 1),
            (access(AccessFate::Bypassed, Some(0x4000), None), 1),
        ],
        &[
            (access(TRANSLATION, Some(0x2000), Some(true)), 2),
            (access(bad, None, None), 1),
        ],
    );
    let wanted = [
        "0x18 0x4000: bypassed (1 in the trace, 0 in the event queue)",
        "0x18 0x3000: C_BAD_CD (1 in the trace, 1 in the event queue)",
        "0x18 write 0x2000: F_TRANSLATION (2 in the trace, 2 in the event queue)",
        "0x18 0x1000: translated to 0x5000 (3 in the trace, 0 in the event queue)",
    ];
    assert_eq!(lines(&iommus), wanted);
    assert_eq!(merge_sources(&iommus).notes, [""; 0]);
}

/// If one source has more than the other, the result says so, unless the queue may have lost its oldest events.
#[test]
fn disagreements_are_told() {
    let event = |count| (access(TRANSLATION, Some(0x2000), Some(true)), count);
    let notes = |traced: &[(Access, u64)], queued: &[(Access, u64)]| {
        merge_sources(&seen(traced, queued)).notes
    };
    let said = |traced, queued| {
        [format!(
            "F_TRANSLATION of 0x18: {traced} in the trace, {queued} in the event queue"
        )]
    };
    assert_eq!(notes(&[event(3)], &[event(2)]), said(3, 2));
    assert_eq!(notes(&[event(3)], &[]), said(3, 0));
    assert_eq!(notes(&[], &[event(1)]), said(0, 1));
    assert_eq!(notes(&[event(9)], &[event(8)]), [""; 0]);
    assert_eq!(notes(&[event(7)], &[event(8)]), said(7, 8));
}

/// A source that is incomplete says why, and is compared with nothing.
#[test]
fn silence_of_a_source_is_told() {
    let event = (access(TRANSLATION, Some(0x2000), None), 1);
    let mut iommus = seen(&[event], &[]);
    iommus.queues[0].unread = Some("QEMU has ended".to_owned());
    let queue = "the event queue of the IOMMU at 0x9050000";
    assert_eq!(
        merge_sources(&iommus).notes,
        [format!("{queue} was not read: QEMU has ended")]
    );
    let queue_seen = &mut iommus.queues[0];
    (queue_seen.unread, queue_seen.on, queue_seen.overflown) = (None, false, true);
    iommus.trace.lost = Some("it breaks off".to_owned());
    let wanted = [
        "it breaks off".to_owned(),
        format!("{queue} is off"),
        format!("{queue} lost events because it was full"),
    ];
    assert_eq!(merge_sources(&iommus).notes, wanted);
    iommus.trace.lost = None;
    iommus.trace.accesses.more = 7;
    let more = "QEMU traced 7 more accesses than are kept";
    assert_eq!(doubt(&iommus).as_deref(), Some(more));
}

/// Many accesses that differ only in their addresses are one row.
#[test]
fn crowds_are_one_row() {
    let at = |place: u64| (access(TRANSLATION, Some(0x2000 + 4 * place), None), 2);
    let few: Vec<_> = (0..8).map(at).collect();
    assert_eq!(lines(&seen(&few, &[])).len(), 8);
    let many: Vec<_> = (0..9).map(at).collect();
    let wanted = "0x18 0x2000..0x2020: F_TRANSLATION (18 in the trace, 0 in the event queue)";
    assert_eq!(lines(&seen(&many, &[])), [wanted]);
}

/// The explanation is short, has the worst first and no counts, and does not depend on the order of events.
#[test]
fn explanations_are_alike() {
    let mut accesses = vec![
        (
            access(AccessFate::Translated(0x5000), Some(0x1000), None),
            3,
        ),
        (access(AccessFate::Aborted, Some(0x1000), None), 1),
        (access(TRANSLATION, Some(0x2000), None), 2),
        (access(AccessFate::Bypassed, Some(0x4000), None), 1),
    ];
    let told = explain(&seen(&accesses, &[]));
    let wanted = "the IOMMU reports 0x18 0x4000: bypassed, 0x18 0x2000: F_TRANSLATION, 0x18 0x1000: aborted, more";
    assert_eq!(told.as_deref(), Some(wanted));
    accesses.reverse();
    accesses[0].1 = 99;
    assert_eq!(explain(&seen(&accesses, &[])), told);
    assert_eq!(explain(&seen(&[], &[])), None);
}
