//! console_io: text of a domain's, by hypercall. Every domain may write.

use super::abi::{CONSOLE_READ, CONSOLE_WRITE};
use super::{Answer, Arguments};
use crate::addr::PAGE_SIZE;
use crate::errno::Errno;
use crate::hal::Machine;
use crate::vm::{Guest, Hypervisor, Outcome, VcpuRef};

/// Bytes that are taken from the caller's memory at a time.
const PIECE: usize = 256;
/// Longest text that can be read: what is read is counted in the positive half of an int.
const LONGEST_READ: u64 = 0x7fff_ffff;

impl<M: Machine<Arch: Guest>> Hypervisor<M> {
    /// Serves console_io.
    pub(super) fn console_io(&mut self, caller: VcpuRef, args: &Arguments) -> Answer {
        let &[command, count, at, rest @ ..] = args;
        match command {
            CONSOLE_WRITE => {
                let now = count.min(PAGE_SIZE - at % PAGE_SIZE);
                self.write_text(caller, at, now, count)?;
                Ok(match count - now {
                    0 => Outcome::Answer(0),
                    // The sum is an address of the text, which `write_text` found to be one.
                    left => Outcome::Again([command, left, at.wrapping_add(now), rest[0], rest[1]]),
                })
            }
            // No domain ever receives text by hypercall.
            CONSOLE_READ if count <= LONGEST_READ => Ok(Outcome::Answer(0)),
            CONSOLE_READ => Err(Errno::E2BIG),
            _ => Err(Errno::ENOSYS),
        }
    }

    /// Writes the first `now` bytes of a text to the domain's console, unless that page or the end of
    /// the text cannot be read.
    fn write_text(&mut self, caller: VcpuRef, at: u64, now: u64, count: u64) -> Result<(), Errno> {
        let Some(reach) = count.checked_sub(1) else {
            return Ok(());
        };
        let last = at.checked_add(reach).ok_or(Errno::EFAULT)?;
        let mut left = usize::try_from(now).map_err(|_| Errno::EFAULT)?;
        self.check_guest(caller, last, 1, false)?;
        self.check_guest(caller, at, left, false)?;
        let mut from = at;
        while left > 0 {
            let mut piece = [0; PIECE];
            let size = left.min(PIECE);
            let Some(text) = piece.get_mut(..size) else {
                return Ok(());
            };
            self.read_guest_into(caller, from, text)?;
            self.say(caller, text);
            left -= size;
            from = from.wrapping_add(u64::try_from(size).unwrap_or_default());
        }
        Ok(())
    }
}
