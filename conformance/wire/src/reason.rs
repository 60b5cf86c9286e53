//! Why a probe could not do as it was told.

use crate::spelled::spelled;

spelled! {
    /// Why a script cannot be carried out.
    ScriptError {
        /// The device tree cannot be read.
        Tree = "tree",
        /// There is no script, neither in the boot arguments nor in a ramdisk they point to.
        Script = "script",
        /// The header is not `n=<nonce> d=<dom>`.
        Header = "header",
        /// An unknown op.
        Op = "op",
        /// A word where a number is due, or a number that does not fit.
        Number = "number",
        /// A word that is not one of those possible there.
        Word = "word",
        /// An operand is missing.
        Missing = "missing",
        /// An operand too many.
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
        /// The address cannot be mapped: beyond the reach of translation, or no table is left.
        Map = "map",
        /// There is no device tree.
        NoTree = "no-tree",
        /// It would overwrite or enter the probe itself.
        Own = "own",
        /// The CPU, the firmware or the hypervisor does not have the service, or the probe is of another architecture.
        Service = "service",
        /// The script came with no such entry of a pack.
        Pack = "pack",
    }
}
