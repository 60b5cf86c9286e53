//! Renders a conformance run for people and tools.
