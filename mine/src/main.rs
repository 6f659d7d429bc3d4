//! `mine`: the owner's command line, and the Mine itself.

fn main() -> std::process::ExitCode {
    mine::cmd::main()
}
