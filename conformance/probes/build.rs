//! Links the image position-independent, with its own layout; a host build needs neither.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link");
    let variable = |name| env::var(name).unwrap_or_default();
    if variable("CARGO_CFG_TARGET_OS") != "none" {
        return;
    }
    let layout = format!("{}.ld", variable("CARGO_CFG_TARGET_ARCH"));
    let layout = Path::new(&variable("CARGO_MANIFEST_DIR"))
        .join("link")
        .join(layout);
    // `-ztext`: boot.S does not apply relocations in code, so one must fail at link time.
    for argument in [
        "-pie",
        "--no-dynamic-linker",
        "-ztext",
        "-znorelro",
        "--no-undefined",
        "--build-id=none",
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rustc-link-arg-bins=-T{}", layout.display());
}
