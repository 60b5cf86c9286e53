//! Requirements, scenarios, oracle and verdicts of the device-passthrough conformance suite.
