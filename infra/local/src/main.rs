//! Wiring of `modbox-local`.

fn main() -> std::process::ExitCode {
    modbox_local::main()
}
