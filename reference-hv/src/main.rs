//! Entry point of the bare-metal image: the start code in the library calls itself into being, all
//! that is left to say here is what becomes of a panic.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    refhv::arch::report_panic(info)
}

#[cfg(not(target_os = "none"))]
fn main() {}
