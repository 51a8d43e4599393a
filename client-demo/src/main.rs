//! The binary; everything is in the library.

fn main() -> std::process::ExitCode {
    tickwire_demo::cli::main()
}
