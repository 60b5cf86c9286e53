//! Host and partial device trees, good and bad.
