//! Console protocol between the harness and its probes.
