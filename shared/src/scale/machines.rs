//! What an instance type has, for groups from which no instance was seen yet. What an instance of the type
//! registered with ([`SeenShape`]) always comes first.
//!
//! Sources: the EC2 guide's pages of the general purpose, compute and memory optimised instances (vCPU,
//! memory, network interfaces), and the ECS guide's page on ENI trunking (tasks an instance). Families
//! whose sizes do not follow one rule are left out: an unknown type is said to be unknown.

use crate::capacity::Resources;
use crate::ledger::SeenShape;

/// The families that follow the rule, by what a vCPU has of memory, in MiB.
const FAMILIES: [(&str, u32); 26] = [
    ("c6a", 2048),
    ("c6g", 2048),
    ("c6i", 2048),
    ("c7a", 2048),
    ("c7g", 2048),
    ("c7i", 2048),
    ("c8g", 2048),
    ("m5", 4096),
    ("m5a", 4096),
    ("m6a", 4096),
    ("m6g", 4096),
    ("m6i", 4096),
    ("m7a", 4096),
    ("m7g", 4096),
    ("m7i", 4096),
    ("m8g", 4096),
    ("r5", 8192),
    ("r5a", 8192),
    ("r6a", 8192),
    ("r6g", 8192),
    ("r6i", 8192),
    ("r7a", 8192),
    ("r7g", 8192),
    ("r7i", 8192),
    ("r8g", 8192),
    ("c5a", 2048),
];

/// Sizes of these families: vCPUs, network interfaces, tasks with trunked interfaces.
const SIZES: [(&str, u32, u32, u32); 8] = [
    ("large", 2, 3, 10),
    ("xlarge", 4, 4, 20),
    ("2xlarge", 8, 4, 40),
    ("4xlarge", 16, 8, 60),
    ("8xlarge", 32, 8, 60),
    ("12xlarge", 48, 8, 60),
    ("16xlarge", 64, 15, 120),
    ("24xlarge", 96, 15, 120),
];

/// Burstable ones: MiB of memory, vCPUs, network interfaces. They cannot trunk.
const BURSTABLE: [(&str, u32, u32, u32); 7] = [
    ("nano", 512, 2, 2),
    ("micro", 1024, 2, 2),
    ("small", 2048, 2, 3),
    ("medium", 4096, 2, 3),
    ("large", 8192, 2, 3),
    ("xlarge", 16_384, 4, 4),
    ("2xlarge", 32_768, 8, 4),
];

/// Of 100 MiB that a type has, so many at least are registered: the kernel and the agent have the rest.
/// Low on purpose: a type that turns out larger costs nothing, one that turns out smaller leaves a task out.
const REGISTERED_PERCENT: u32 = 90;

struct Machine {
    cpus: u32,
    memory: u32,
    interfaces: u32,
    trunked: Option<u32>,
}

fn machine(instance_type: &str) -> Option<Machine> {
    let (family, size) = instance_type.split_once('.')?;
    if ["t3", "t3a", "t4g"].contains(&family) {
        let (_, memory, cpus, interfaces) = BURSTABLE.into_iter().find(|it| it.0 == size)?;
        return Some(Machine { cpus, memory, interfaces, trunked: None });
    }
    let (_, a_cpu) = FAMILIES.into_iter().find(|it| it.0 == family)?;
    let (_, cpus, interfaces, trunked) = SIZES.into_iter().find(|it| it.0 == size)?;
    Some(Machine { cpus, memory: cpus * a_cpu, interfaces, trunked: Some(trunked) })
}

/// What the next instance of the type will have, `None` where nothing tells: none was seen and the type
/// is not in the table. `trunks`: whether the account's interfaces are trunked.
pub(super) fn capacity(instance_type: &str, seen: Option<&SeenShape>, trunks: bool) -> Option<Resources> {
    let enis = interfaces(instance_type, trunks);
    if let Some(seen) = seen {
        return Some(Resources::new(seen.cpu, seen.memory).gpus(seen.gpus).enis(enis));
    }
    let machine = machine(instance_type)?;
    let memory = machine.memory / 100 * REGISTERED_PERCENT;
    Some(Resources::new(machine.cpus * 1024, memory).enis(enis))
}

/// How many tasks in `awsvpc` mode an instance of the type takes. Of a type that the table does not have
/// it is not known, and not counted: ECS says no where there is no interface left.
pub(super) fn interfaces(instance_type: &str, trunks: bool) -> u32 {
    let Some(machine) = machine(instance_type) else { return u32::MAX };
    match machine.trunked {
        Some(trunked) if trunks => trunked,
        // The first one is the instance's own.
        _ => machine.interfaces - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_comes_before_the_table_and_an_unknown_type_is_unknown() {
        let table = capacity("m6g.large", None, false).unwrap();
        assert_eq!((table.cpu, table.enis), (2048, 2));
        assert!(table.memory_mib < 8192 && table.memory_mib > 7000);
        assert_eq!(capacity("m6g.large", None, true).unwrap().enis, 10);
        let seen = SeenShape { cpu: 2048, memory: 7700, gpus: 0 };
        assert_eq!(capacity("m6g.large", Some(&seen), false).unwrap().memory_mib, 7700);
        assert_eq!(capacity("x9z.large", Some(&seen), false).unwrap().enis, u32::MAX);
        assert_eq!(capacity("x9z.large", None, false), None);
        assert_eq!(capacity("t3.small", None, true).unwrap().enis, 2);
    }
}
