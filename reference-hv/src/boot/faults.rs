//! The choice of the decision that is made wrong.

use super::{Error, Platform, bindings};
use crate::config::Host;
use crate::dt::Blob;
use crate::fault;

/// Makes the decision wrong that `fault=` names. Returns nothing when it only asked for the list.
pub(super) fn select<P: Platform>(
    platform: &mut P,
    blob: Blob<'static>,
    host: Host<'static>,
) -> Result<Option<Host<'static>>, Error> {
    match host.argument("fault") {
        None => Ok(Some(host)),
        Some("list") => {
            for entry in fault::ALL {
                platform.line(format_args!(
                    "fault {} {} {}",
                    entry.name, entry.requirement, entry.text
                ));
            }
            platform.line(format_args!("faults end"));
            Ok(None)
        }
        Some(name) => {
            fault::select(name).map_err(|_| Error::Fault(name))?;
            platform.line(format_args!("fault {name} is seeded"));
            // Some decisions fall while the tree is read, which was before anybody knew of the fault.
            Host::read(blob, bindings::<P>())
                .map(Some)
                .map_err(Error::Host)
        }
    }
}
