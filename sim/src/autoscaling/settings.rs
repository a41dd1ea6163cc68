//! How a group launches: its launch template, or its mixed instances policy.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{self, invalid};
use super::model::Zone;
use crate::call::ApiError;
use crate::ec2::{self, zone_of_subnet};
use crate::world::World;

/// What a group's instances are made from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Launches {
    /// `{LaunchTemplateId | LaunchTemplateName, Version}`
    pub(crate) template: Value,
    /// `Overrides`: types in order of preference; none means the template's.
    pub(crate) types: Vec<String>,
    pub(crate) mix: Option<Mix>,
}

/// `InstancesDistribution`: how many are on demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mix {
    pub(crate) on_demand_base: u32,
    pub(crate) on_demand_percent: u32,
    pub(crate) on_demand_strategy: String,
    pub(crate) spot_strategy: String,
}

impl Mix {
    /// How many of `count` instances are on demand: the base, and of the rest the percentage,
    /// rounded up.
    pub(crate) fn on_demand_of(&self, count: u32) -> u32 {
        let above = count.saturating_sub(self.on_demand_base);
        count.min(self.on_demand_base) + (above * self.on_demand_percent).div_ceil(100)
    }
}

/// Members of a group that are refused rather than passed over.
const REFUSED: [&str; 7] = [
    "LaunchConfigurationName",
    "InstanceId",
    "TargetGroupARNs",
    "LoadBalancerNames",
    "TrafficSources",
    "InstanceMaintenancePolicy",
    "PlacementGroup",
];

/// Refuses what this Auto Scaling does not carry out.
pub(super) fn check_carried_out(input: &Value) -> Result<(), ApiError> {
    let given = |member: &&&str| match &input[**member] {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    match REFUSED.iter().find(given) {
        Some(member) => Err(invalid(format!("The embedded Auto Scaling does not carry out {member}"))),
        None => Ok(()),
    }
}

/// Reads the launch template or the policy of a call; `None` where it gives neither.
pub(super) fn launches(world: &World, input: &Value) -> Result<Option<Launches>, ApiError> {
    let (template, policy) = (&input["LaunchTemplate"], &input["MixedInstancesPolicy"]);
    let launches = match (template.is_object(), policy.is_object()) {
        (false, false) => return Ok(None),
        (true, true) => {
            return Err(invalid(
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or \
                 MixedInstancesPolicy parameter.",
            ));
        }
        (true, false) => Launches { template: template.clone(), types: Vec::new(), mix: None },
        (false, true) => mixed(policy)?,
    };
    let resolved = ec2::resolve(world, &launches.template).map_err(|error| {
        invalid(format!("You must use a valid fully-formed launch template. {}", error.message))
    })?;
    if launches.types.is_empty() && resolved.instance_type.is_none() {
        return Err(invalid(
            "You must use a valid fully-formed launch template. The request must contain the \
                            parameter InstanceType",
        ));
    }
    let known = |name: &&String| ec2::types::InstanceType::parse(name).is_none();
    match launches.types.iter().chain(&resolved.instance_type).find(known) {
        Some(unknown) => Err(invalid(format!("The embedded EC2 does not have the instance type {unknown}"))),
        None => Ok(Some(launches)),
    }
}

fn mixed(policy: &Value) -> Result<Launches, ApiError> {
    let template = &policy["LaunchTemplate"];
    let mut types = Vec::new();
    for entry in args::list(template, "Overrides") {
        for refused in ["WeightedCapacity", "InstanceRequirements", "LaunchTemplateSpecification"] {
            if !entry[refused].is_null() {
                let message =
                    format!("The embedded Auto Scaling does not carry out {refused} in an override");
                return Err(invalid(message));
            }
        }
        types.push(args::required(entry, "InstanceType")?.to_owned());
    }
    let mix = &policy["InstancesDistribution"];
    let word = |member: &str, default: &str| args::text(mix, member).unwrap_or(default).to_owned();
    let mix = Mix {
        on_demand_base: args::number(mix, "OnDemandBaseCapacity")?.unwrap_or(0),
        on_demand_percent: args::number(mix, "OnDemandPercentageAboveBaseCapacity")?.unwrap_or(100),
        on_demand_strategy: word("OnDemandAllocationStrategy", "prioritized"),
        spot_strategy: word("SpotAllocationStrategy", "lowest-price"),
    };
    Ok(Launches { template: template["LaunchTemplateSpecification"].clone(), types, mix: Some(mix) })
}

impl Launches {
    /// The member of a group that says it.
    pub(crate) fn describe(&self) -> (&'static str, Value) {
        let Some(mix) = &self.mix else { return ("LaunchTemplate", self.template.clone()) };
        let types = self.types.iter().map(|name| json!({ "InstanceType": name }));
        let policy = json!({
            "LaunchTemplate": {
                "LaunchTemplateSpecification": self.template,
                "Overrides": types.collect::<Vec<_>>(),
            },
            "InstancesDistribution": {
                "OnDemandBaseCapacity": mix.on_demand_base,
                "OnDemandPercentageAboveBaseCapacity": mix.on_demand_percent,
                "OnDemandAllocationStrategy": mix.on_demand_strategy,
                "SpotAllocationStrategy": mix.spot_strategy,
            },
        });
        ("MixedInstancesPolicy", policy)
    }
}

/// A call's subnets (`VPCZoneIdentifier`) or zones; `None` where it gives neither.
pub(super) fn zones(world: &World, input: &Value) -> Option<Vec<Zone>> {
    let region = &world.config.region;
    if let Some(subnets) = args::text(input, "VPCZoneIdentifier") {
        let subnets = subnets.split(',').map(str::trim).enumerate();
        let zone = |(place, subnet): (usize, &str)| Zone {
            az: zone_of_subnet(region, subnet, place),
            subnet: subnet.to_owned(),
        };
        return Some(subnets.map(zone).collect());
    }
    let zones = args::texts(input, "AvailabilityZones");
    let zone = |az: String| Zone { subnet: format!("subnet-{}", az.trim_start_matches(region.as_str())), az };
    (!zones.is_empty()).then(|| zones.into_iter().map(zone).collect())
}
