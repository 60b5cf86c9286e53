//! What becomes of the RAM that the host tree names.

use alloc::vec::Vec;

use super::Error;
use crate::addr::{Address, PAGE_SIZE, Pa, Span};
use crate::assign::Taken;
use crate::config::{DomainRequest, Host, Owner};
use crate::span_set;

/// Part of RAM that each of the heap and the pool of table frames gets, and the bounds of that.
const POOL_SHARE: u64 = 64;
const POOL_BOUNDS: (u64, u64) = (512 << 10, 32 << 20);

/// What of RAM is mapped, and for what. All of it is whole pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RamPlan {
    /// What is mapped: all that is neither in use nor reserved.
    pub windows: Vec<Span<Pa>>,
    /// What nobody may get, the pools included.
    pub taken: Vec<Taken>,
    /// Where frames for translation tables come from; in one of the windows.
    pub frames: Span<Pa>,
    /// What the heap gets besides the image's; in one of the windows.
    pub heap: Span<Pa>,
    /// What the pools leave of the windows: modules lie there, and domains will.
    pub rest: Vec<Span<Pa>>,
}

impl RamPlan {
    /// Plans the use of RAM of which a part is `taken` already.
    ///
    /// # Errors
    /// Fails when there is no room for heap and table frames.
    pub fn new(
        host: &Host<'_>,
        requests: &[DomainRequest<'_>],
        mut taken: Vec<Taken>,
    ) -> Result<Self, Error> {
        let regions = host.regions.iter();
        let reserved = regions.filter(|region| region.owner != Owner::Memory);
        let in_use = taken.iter().map(|taken| taken.span);
        let holes: Vec<_> = in_use.chain(reserved.map(|region| region.span)).collect();
        let windows = span_set::without(&host.ram, &holes);

        let size: u64 = windows.iter().map(|window| window.size()).sum();
        let (least, most) = POOL_BOUNDS;
        let pages = (size / POOL_SHARE).clamp(least, most) / PAGE_SIZE;
        let pool = pages * PAGE_SIZE;
        let claims = requests.iter().flat_map(|asked| &asked.claim);
        let modules = claims.flat_map(|claim| &claim.modules);
        let modules: Vec<_> = modules.map(|module| module.span).collect();
        let named = requests.iter().flat_map(|asked| &asked.reserved);
        let free = span_set::without(&windows, &modules);
        let unnamed = span_set::without(&free, &named.copied().collect::<Vec<_>>());
        // Who names all there is as its RAM is refused for that, but does not keep the others from running.
        let room = span_set::room(&unnamed, 2 * pool).or_else(|| span_set::room(&free, 2 * pool));
        let pools = room.and_then(|room| {
            let heap = room.first().checked_add(pool)?;
            Span::of_pages(room.first(), pages).zip(Span::of_pages(heap, pages))
        });
        // Frames come first: what is used of them then lies close to the image.
        let (frames, heap) = pools.ok_or(Error::NoRoom(2 * pool))?;
        let what = "hypervisor";
        taken.extend([frames, heap].map(|span| Taken { span, what }));
        let rest = span_set::without(&windows, &[frames, heap]);
        Ok(Self {
            windows,
            taken,
            frames,
            heap,
            rest,
        })
    }
}
