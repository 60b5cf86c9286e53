#!/bin/sh
set -eu
cd "$(dirname "$0")"
# Ctrl-A X ends it. QEMU=... takes another program.
exec "${QEMU:-qemu-system-aarch64}" \
    -no-user-config \
    -nodefaults \
    -display none \
    -no-reboot \
    -M virt-10.0,virtualization=on,gic-version=3,dtb-randomness=off \
    -cpu max \
    -smp 1 \
    -m 512 \
    -serial mon:stdio \
    -kernel ../refhv
