//! Links the bare-metal image as a position-independent flat image; the host build needs nothing.

use std::env;
use std::path::PathBuf;

fn main() {
    let os = env::var("CARGO_CFG_TARGET_OS").unwrap_or_default();
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link");
    if os != "none" {
        return;
    }
    let script = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default())
        .join("link")
        .join(format!("{arch}.ld"));
    if !script.exists() {
        println!("cargo:warning=no linker script {}", script.display());
        return;
    }
    for argument in [
        "-pie".to_owned(),
        // The start code applies the relocations itself; there is no loader to name.
        "--no-dynamic-linker".to_owned(),
        // The standard library comes compiled for a fixed address: its tables of functions are in
        // .rodata and need relocation there. The start code does that before anything is read-only.
        "-znotext".to_owned(),
        "--no-undefined".to_owned(),
        "--build-id=none".to_owned(),
        format!("-T{}", script.display()),
    ] {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}
