//! Helpers of every test program of this crate.

use libtest_mimic::{Failed, Trial};
use runners::Profile;

/// Makes a trial of a function that panics when its claim does not hold.
pub fn trial(name: &str, claim: fn()) -> Trial {
    Trial::test(name, move || {
        claim();
        Ok::<(), Failed>(())
    })
}

/// The profile of the reference hypervisor.
pub fn reference() -> Profile {
    let shipped = Profile::all_shipped().expect("shipped");
    let named = |profile: &Profile| profile.name == "reference";
    shipped.into_iter().find(named).expect("the reference")
}
