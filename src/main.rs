//! The command `wxgate`; everything is in the library (`wxgate::cli`).

fn main() -> std::process::ExitCode {
    wxgate::cli::main()
}
