//! The `tidegate` program.

fn main() -> tidegate::cli::Exit {
    tidegate::cli::main()
}
