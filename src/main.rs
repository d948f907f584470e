//! The `restow` command: parses the command line, runs it, and turns the result into an exit code.

fn main() -> std::process::ExitCode {
    restow::cli::main()
}
