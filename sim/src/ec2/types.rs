//! Instance types: what they have, and what an ECS agent registers of it.
//!
//! vCPUs, memory, network interfaces and architecture are EC2's own numbers. What an agent
//! registers is less than the machine's memory by what the kernel keeps; AWS publishes no
//! numbers, so that [`InstanceType::registered_mib`] is a formula near what people report.

use std::fmt;

/// An instance type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InstanceType {
    family: Family,
    size: Size,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Family {
    name: &'static str,
    architecture: &'static str,
    /// Of each vCPU. Burstable types say theirs by size.
    gib_per_vcpu: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    name: &'static str,
    vcpus: u32,
    /// Network interfaces; burstable types have their own.
    enis: u32,
}

const FAMILIES: [Family; 17] = [
    family("t3", "amd64", 0),
    family("t3a", "amd64", 0),
    family("t4g", "arm64", 0),
    family("m5", "amd64", 4),
    family("m6i", "amd64", 4),
    family("m7i", "amd64", 4),
    family("m6g", "arm64", 4),
    family("m6gd", "arm64", 4),
    family("m7g", "arm64", 4),
    family("c5", "amd64", 2),
    family("c6i", "amd64", 2),
    family("c7i", "amd64", 2),
    family("c6g", "arm64", 2),
    family("c7g", "arm64", 2),
    family("r5", "amd64", 8),
    family("r6i", "amd64", 8),
    family("r6g", "arm64", 8),
];

const SIZES: [Size; 5] = [
    size("large", 2, 3),
    size("xlarge", 4, 4),
    size("2xlarge", 8, 4),
    size("4xlarge", 16, 8),
    size("8xlarge", 32, 8),
];

/// Burstable sizes, and their `GiB`.
const BURSTABLE: [(Size, u32); 6] = [
    (size("micro", 2, 2), 1),
    (size("small", 2, 3), 2),
    (size("medium", 2, 3), 4),
    (size("large", 2, 3), 8),
    (size("xlarge", 4, 4), 16),
    (size("2xlarge", 8, 4), 32),
];

const fn family(name: &'static str, architecture: &'static str, gib_per_vcpu: u32) -> Family {
    Family { name, architecture, gib_per_vcpu }
}

const fn size(name: &'static str, vcpus: u32, enis: u32) -> Size {
    Size { name, vcpus, enis }
}

impl InstanceType {
    /// Reads `m5.large`; `None` for a type that is not in the table.
    pub fn parse(name: &str) -> Option<Self> {
        all().find(|it| it.to_string() == name)
    }

    /// Its vCPUs.
    pub fn vcpus(self) -> u32 {
        self.size.vcpus
    }

    /// Its memory, all of it.
    pub fn mib(self) -> u32 {
        if self.family.gib_per_vcpu > 0 {
            return self.family.gib_per_vcpu * self.size.vcpus * 1024;
        }
        BURSTABLE.iter().find(|(size, _)| *size == self.size).map_or(0, |(_, gib)| gib * 1024)
    }

    /// `MiB` that an ECS agent registers for tasks: a 32nd and 64 `MiB` less.
    pub fn registered_mib(self) -> u32 {
        self.mib() - self.mib() / 32 - 64
    }

    /// CPU units that an ECS agent registers.
    pub fn cpu_units(self) -> u32 {
        self.size.vcpus * 1024
    }

    /// Network interfaces, the instance's own among them.
    pub fn enis(self) -> u32 {
        self.size.enis
    }

    /// `amd64` or `arm64`, as images say it.
    pub fn architecture(self) -> &'static str {
        self.family.architecture
    }
}

impl fmt::Display for InstanceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.family.name, self.size.name)
    }
}

/// Every type of the table.
pub fn all() -> impl Iterator<Item = InstanceType> {
    FAMILIES.into_iter().flat_map(|family| {
        let sizes: Vec<Size> = match family.gib_per_vcpu {
            0 => BURSTABLE.iter().map(|(size, _)| *size).collect(),
            _ => SIZES.to_vec(),
        };
        sizes.into_iter().map(move |size| InstanceType { family, size })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_with_its_resources() {
        let of = |name: &str| {
            let it = InstanceType::parse(name).unwrap();
            (it.vcpus(), it.mib(), it.enis(), it.architecture())
        };
        assert_eq!(of("t3.micro"), (2, 1024, 2, "amd64"));
        assert_eq!(of("m6g.xlarge"), (4, 16_384, 4, "arm64"));
        assert_eq!(of("c5.large"), (2, 4096, 3, "amd64"));
        assert_eq!(InstanceType::parse("m5.large").unwrap().registered_mib(), 7872);
        assert_eq!(InstanceType::parse("z9.huge"), None);
    }
}
