//! What this process gives up before it knows any secret.

/// Leaves no core file, neither of this process nor of what it starts, and lets no other process of the same user read its
/// memory, its environment or its open files (Linux).
///
/// # Errors
/// What the system refused.
pub fn harden() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none)?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    }
    Ok(())
}
