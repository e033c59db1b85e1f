//! Files, by Landlock.

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

use crate::Needs;

/// The newest version of the interface whose rights are asked for; older kernels give what they have.
const NEWEST: ABI = ABI::V7;

/// What every program reads: the system's libraries and where the loader finds them, and what the kernel tells of processors, memory
/// and the process itself.
const SYSTEM: [&str; 16] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/opt",
    "/nix/store",
    "/gnu/store",
    "/run/opengl-driver",
    "/proc",
    "/sys",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/etc/OpenCL",
    "/etc/vulkan",
    "/dev/urandom",
    "/dev/zero",
];

/// What every program writes to.
const SINK: &str = "/dev/null";

/// Gives up all files but those that are needed. The version of Landlock that is in force; 0 if there is none.
pub fn confine(needs: &Needs) -> Result<u32, RulesetError> {
    let all = AccessFs::from_all(NEWEST);
    // To read is not to start programs: mapping a library needs no such right.
    let read: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = all & !BitFlags::from_flag(AccessFs::Execute);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, read))?
        .add_rules(path_beneath_rules(&needs.read, read))?
        .add_rules(path_beneath_rules([SINK], write))?
        .add_rules(path_beneath_rules(&needs.write, write))?
        .restrict_self()?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => 0,
        (_, LandlockStatus::Available { effective_abi, kernel_abi }) => {
            kernel_abi.and_then(|version| u32::try_from(version).ok()).unwrap_or(effective_abi as u32)
        }
        _ => 0,
    })
}
