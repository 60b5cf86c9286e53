#!/bin/sh
set -eu
cd "$(dirname "$0")"
# Ctrl-C ends it. QEMU=... takes another program.
pipes=$(mktemp -d)
trap 'kill $qemu 2>/dev/null || true; rm -r "$pipes"' EXIT
trap 'exit 130' INT TERM
qemu=
mkfifo "$pipes/qmp.in" "$pipes/qmp.out" "$pipes/qtest.in" "$pipes/qtest.out"
"${QEMU:-qemu-system-aarch64}" \
    -no-user-config \
    -nodefaults \
    -display none \
    -no-reboot \
    -M virt-10.0,virtualization=on,gic-version=3,dtb-randomness=off,iommu=smmuv3 \
    -cpu max \
    -smp 1 \
    -m 512 \
    -device edu,addr=3 \
    -serial stdio \
    -serial null \
    -icount shift=0,sleep=off \
    -kernel ../refhv \
    -dtb host.dtb \
    -device loader,file=load-4a000000.bin,addr=0x4a000000,force-raw=on \
    -drive 'if=none,id=d,file=disk image' \
    -trace smmuv3_record_event \
    -trace smmuv3_translate_abort \
    -trace smmuv3_translate_bypass \
    -trace smmuv3_translate_disable \
    -trace smmuv3_translate_success \
    -d guest_errors \
    -D iommu-trace.log \
    -chardev pipe,id=qmp,path="$pipes"/qmp \
    -chardev pipe,id=qtest,path="$pipes"/qtest \
    -mon chardev=qmp,mode=control \
    -qtest chardev:qtest \
    -qtest-log none \
    -S </dev/null &
qemu=$!
exec 3>"$pipes/qmp.in" 4<"$pipes/qmp.out" 5>"$pipes/qtest.in" 6<"$pipes/qtest.out"
tell() { echo "$1" >&3; while read -r answer <&4; do case $answer in *'"id": '*) break;; esac; done; }
ask() { echo "$1" >&5; read -r answer <&6; echo "$1: $answer" >&2; }
tell '{"execute":"qmp_capabilities","id":0}'
# the BAR of the edu
ask 'writel 0x4010018010 0x10000000'
# three bytes
ask 'write 0x40000000 0x3 0x010203'
# and back
ask 'read 0x40000000 0x3'
# a line rm -rf /
echo 'left out: spi3 set high' >&2
# a name
tell '{"arguments":{"path":"/it'\''s"},"execute":"qom-list","id":5}'
tell '{"execute":"cont","id":18446744073709551615}'
wait "$qemu"
