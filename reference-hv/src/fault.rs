//! Seeded faults: one decision made wrong on purpose, to prove that the conformance suite notices.
//!
//! With the feature `seeded-faults` a boot argument selects one fault, and the decision it breaks
//! asks [`on`] beside the right condition. Without the feature [`on`] is constantly false, so
//! that neither the wrong branches nor this registry reach an image.

macro_rules! faults {
    ($($variant:ident = $name:literal, $requirement:ident, $text:literal;)+) => {
        /// A decision that can be made wrong.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Fault {
            $(#[doc = $text] $variant,)+
        }

        /// Every fault there is.
        #[cfg(feature = "seeded-faults")]
        pub const ALL: &[Entry] = &[
            $(Entry {
                fault: Fault::$variant,
                name: $name,
                requirement: concat!("XenSSR~", stringify!($requirement), "~1"),
                text: $text,
            },)+
        ];
    };
}

faults! {
    // Addresses and sizes (config::partial, assign::mmio).
    PageTooMany = "mmio-page-too-many", assign_interrupt_less_platform_device,
        "maps one page more than a tuple of xen,reg names";
}

#[cfg(feature = "seeded-faults")]
pub use select::{Entry, UnknownFault, on, select};

/// Tells whether `fault` is selected: never, for this image has no seeded faults.
#[cfg(not(feature = "seeded-faults"))]
#[inline(always)]
pub const fn on(_fault: Fault) -> bool {
    false
}

#[cfg(feature = "seeded-faults")]
mod select {
    use core::fmt;
    use core::sync::atomic::{AtomicUsize, Ordering};

    use super::{ALL, Fault};

    /// One line of the registry.
    #[derive(Clone, Copy, Debug)]
    pub struct Entry {
        /// Which decision.
        pub fault: Fault,
        /// What the boot argument `fault=` calls it.
        pub name: &'static str,
        /// The requirement that it violates, with its revision.
        pub requirement: &'static str,
        /// What goes wrong, in one line.
        pub text: &'static str,
    }

    /// `fault=` named something that is not in the registry.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct UnknownFault;

    impl fmt::Display for UnknownFault {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("is not the name of a seeded fault")
        }
    }

    /// One more than the place of the selected fault in [`ALL`]; zero while none is.
    static SELECTED: AtomicUsize = AtomicUsize::new(0);

    /// Makes the decision called `name` go wrong from now on, and every other one right; the
    /// empty name selects none.
    ///
    /// # Errors
    /// Refuses a name that is not in the registry and changes nothing then.
    pub fn select(name: &str) -> Result<Option<Entry>, UnknownFault> {
        if name.is_empty() {
            SELECTED.store(0, Ordering::Relaxed);
            return Ok(None);
        }
        let place = ALL.iter().position(|entry| entry.name == name).ok_or(UnknownFault)?;
        SELECTED.store(place + 1, Ordering::Relaxed);
        Ok(ALL.get(place).copied())
    }

    /// Tells whether `fault` is selected.
    pub fn on(fault: Fault) -> bool {
        SELECTED
            .load(Ordering::Relaxed)
            .checked_sub(1)
            .and_then(|place| ALL.get(place))
            .is_some_and(|entry| entry.fault == fault)
    }
}
