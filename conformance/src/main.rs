//! Command line of the conformance suite.

fn main() -> std::process::ExitCode {
    conformance::cli::main()
}
