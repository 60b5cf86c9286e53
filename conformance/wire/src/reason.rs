//! Reasons why a probe could not carry out a script or an op.

use crate::spelled::spelled;

spelled! {
    /// Why a script cannot be carried out.
    ScriptError {
        /// The device tree is not readable.
        Tree = "tree",
        /// There is no script, neither in the boot arguments nor in a ramdisk that they point to.
        Script = "script",
        /// The header is not `n=<nonce> d=<dom>`.
        Header = "header",
        /// An unknown op.
        Op = "op",
        /// A word where a number must be, or a number that does not fit.
        Number = "number",
        /// A word that is not possible at this place.
        Word = "word",
        /// An operand is missing.
        Missing = "missing",
        /// There is one operand too many.
        Extra = "extra",
        /// The probe itself failed; the position is a line of its source.
        Panic = "panic",
    }
}

spelled! {
    /// What the probe lacks for an op.
    Reason {
        /// The machine has no interrupt controller that the probe can drive.
        NoController = "no-controller",
        /// The interrupt controller has no such interrupt.
        NoIrq = "no-irq",
        /// The table of interrupts or of their actions is full.
        Full = "full",
        /// The address cannot be mapped: it is beyond the range of translation, or no table is left.
        Map = "map",
        /// There is no device tree.
        NoTree = "no-tree",
        /// The op would overwrite or execute the probe's own memory.
        Own = "own",
        /// The CPU, the firmware or the hypervisor does not have the service, or the probe is of another architecture.
        Service = "service",
        /// The pack has no such entry, or there is no pack.
        Pack = "pack",
    }
}
