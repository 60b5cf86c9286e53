//! The configuration of U-Boot: the environment that it finds in the second flash of QEMU's `virt`.

use runners::Firmware;

/// Number and size of the flash that holds it.
pub const UNIT: u8 = 1;
pub const FLASH: u64 = 64 << 20;
/// Size of the environment in flash on this board.
const SIZE: usize = 0x4_0000;
/// Size of the checksum before it.
const CHECKSUM: usize = 4;

/// Returns an environment by which U-Boot enumerates PCI without prompting, and starts the image with the tree: a
/// checksum, then `name=value` texts, each ended by a NUL, and one more NUL at the end (U-Boot,
/// include/env_internal.h).
pub fn environment(firmware: &Firmware) -> Vec<u8> {
    let Firmware { image, tree, .. } = firmware;
    let variables = [
        // The default would look for a USB keyboard.
        "preboot=".to_owned(),
        "bootdelay=0".to_owned(),
        "stdin=serial".to_owned(),
        "stdout=serial".to_owned(),
        "stderr=serial".to_owned(),
        format!("bootcmd=pci enum; booti {image:#x} - {tree:#x}"),
    ];
    let mut texts: Vec<u8> = Vec::new();
    for variable in variables {
        texts.extend(variable.into_bytes());
        texts.push(0);
    }
    texts.resize(SIZE - CHECKSUM, 0);
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&texts);
    [&checksum.to_le_bytes()[..], &texts].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The environment fills its flash and names what is to be started; its checksum is the one that U-Boot computes.
    #[test]
    fn the_environment_says_what_to_start() {
        let firmware = Firmware {
            path: "u-boot.bin".into(),
            image: 0x4200_0000,
            tree: 0x4800_0000,
        };
        let made = environment(&firmware);
        assert_eq!(made.len(), 0x4_0000);
        let text = String::from_utf8_lossy(&made[4..]);
        assert!(text.starts_with("preboot=\0bootdelay=0\0"));
        assert!(text.contains("\0bootcmd=pci enum; booti 0x42000000 - 0x48000000\0\0"));
        // `crc32` of zlib over the same bytes.
        assert_eq!(made[..4], 0x87a7_fbc3_u32.to_le_bytes());
    }
}
