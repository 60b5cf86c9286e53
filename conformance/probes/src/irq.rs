//! The interrupts that the script expects, and the actions of their handler.
//!
//! The handler runs between ops and while an op waits, at no other time, so relaxed atomics are
//! enough: they only make the table shareable.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};

use wire::{Irq, Width};

const SLOTS: usize = 16;
const ACTIONS: usize = 4;
/// The value of a free slot: 0, so that an empty table takes no room in the image.
const FREE: u32 = 0;

/// The table has no room for another interrupt, or for another action of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

/// The interrupts of a script.
#[derive(Debug)]
pub struct Irqs {
    slots: [Slot; SLOTS],
}

#[derive(Debug)]
struct Slot {
    /// The interrupt's number plus one, or [`FREE`].
    tag: AtomicU32,
    count: AtomicU32,
    stays_active: AtomicBool,
    used: AtomicU8,
    actions: [Action; ACTIONS],
}

#[derive(Debug)]
struct Action {
    width: AtomicU8,
    at: AtomicU64,
    value: AtomicU64,
}

/// The actions of one interrupt's handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handling {
    /// Writes, in order.
    pub writes: [Option<(Width, u64, u64)>; ACTIONS],
    /// Whether to deactivate the interrupt.
    pub ends: bool,
}

impl Irqs {
    /// Makes an empty table.
    #[expect(
        clippy::new_without_default,
        reason = "it stands in a static, where a default cannot be called"
    )]
    pub const fn new() -> Self {
        Self {
            slots: [const {
                Slot {
                    tag: AtomicU32::new(FREE),
                    count: AtomicU32::new(0),
                    stays_active: AtomicBool::new(false),
                    used: AtomicU8::new(0),
                    actions: [const {
                        Action {
                            width: AtomicU8::new(0),
                            at: AtomicU64::new(0),
                            value: AtomicU64::new(0),
                        }
                    }; ACTIONS],
                }
            }; SLOTS],
        }
    }

    /// Expects an interrupt, and counts it from 0. Keeps its actions.
    pub fn expect(&self, irq: Irq) -> Result<(), Full> {
        self.claim(irq)?.count.store(0, Relaxed);
        Ok(())
    }

    /// Adds a write to the handler's actions.
    pub fn act(&self, irq: Irq, width: Width, at: u64, value: u64) -> Result<(), Full> {
        let slot = self.claim(irq)?;
        let used = slot.used.load(Relaxed);
        let action = slot.actions.get(usize::from(used)).ok_or(Full)?;
        let bits = Width::ALL
            .iter()
            .position(|candidate| *candidate == width)
            .unwrap_or_default();
        action
            .width
            .store(u8::try_from(bits).unwrap_or_default(), Relaxed);
        action.at.store(at, Relaxed);
        action.value.store(value, Relaxed);
        slot.used.store(used + 1, Relaxed);
        Ok(())
    }

    /// Makes the handler leave the interrupt active.
    pub fn leave_active(&self, irq: Irq) -> Result<(), Full> {
        self.claim(irq)?.stays_active.store(true, Relaxed);
        Ok(())
    }

    /// Returns how often the interrupt was taken since `expect`.
    pub fn count(&self, irq: Irq) -> u32 {
        self.find(irq).map_or(0, |slot| slot.count.load(Relaxed))
    }

    /// Counts a taken interrupt and returns the actions; `None` for an unexpected interrupt.
    pub fn take(&self, irq: Irq) -> Option<Handling> {
        let slot = self.find(irq)?;
        slot.count.fetch_add(1, Relaxed);
        let mut writes = [None; ACTIONS];
        let used = usize::from(slot.used.load(Relaxed));
        for (write, action) in writes.iter_mut().zip(&slot.actions).take(used) {
            let width = Width::ALL
                .get(usize::from(action.width.load(Relaxed)))
                .copied();
            *write =
                width.map(|width| (width, action.at.load(Relaxed), action.value.load(Relaxed)));
        }
        Some(Handling {
            writes,
            ends: !slot.stays_active.load(Relaxed),
        })
    }

    fn find(&self, irq: Irq) -> Option<&Slot> {
        self.tagged(irq.0.checked_add(1)?)
    }

    fn tagged(&self, tag: u32) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.tag.load(Relaxed) == tag)
    }

    fn claim(&self, irq: Irq) -> Result<&Slot, Full> {
        let slot = self.find(irq).or_else(|| self.tagged(FREE)).ok_or(Full)?;
        slot.tag.store(irq.0.checked_add(1).ok_or(Full)?, Relaxed);
        Ok(slot)
    }
}

#[cfg(test)]
mod tests {
    use wire::Irq;
    use wire::Width::{self, W8, W32};

    use super::{ACTIONS, Full, Handling, Irqs, SLOTS};

    /// An interrupt is counted from when it was expected; an unexpected one is recognized.
    #[test]
    fn interrupts_are_counted() {
        let irqs = Irqs::new();
        assert_eq!(irqs.take(Irq(39)), None);
        irqs.expect(Irq(39)).unwrap();
        assert_eq!(
            irqs.take(Irq(39)),
            Some(Handling {
                writes: [None; ACTIONS],
                ends: true
            })
        );
        irqs.take(Irq(39));
        assert_eq!((irqs.count(Irq(39)), irqs.count(Irq(40))), (2, 0));
        irqs.expect(Irq(39)).unwrap();
        assert_eq!(irqs.count(Irq(39)), 0);
    }

    /// Actions may be added before the interrupt is enabled, and are kept.
    #[test]
    fn orders_are_kept() {
        let irqs = Irqs::new();
        irqs.act(Irq(39), W32, 0x0903_041c, 8).unwrap();
        irqs.act(Irq(39), W8, 1, 2).unwrap();
        irqs.leave_active(Irq(39)).unwrap();
        irqs.expect(Irq(39)).unwrap();
        let writes: [Option<(Width, u64, u64)>; 4] =
            [Some((W32, 0x0903_041c, 8)), Some((W8, 1, 2)), None, None];
        assert_eq!(
            irqs.take(Irq(39)),
            Some(Handling {
                writes,
                ends: false
            })
        );
    }

    /// An entry that does not fit is an error.
    #[test]
    fn tables_are_bounded() {
        let irqs = Irqs::new();
        for _ in 0..ACTIONS {
            irqs.act(Irq(0), W32, 0, 0).unwrap();
        }
        assert_eq!(irqs.act(Irq(0), W32, 0, 0), Err(Full));
        for irq in (1..).take(SLOTS - 1) {
            irqs.expect(Irq(irq)).unwrap();
        }
        assert_eq!(irqs.expect(Irq(100)), Err(Full));
        assert_eq!(irqs.expect(Irq(1)), Ok(()));
    }
}
