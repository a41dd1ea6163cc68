//! Task definitions as the packer's shapes.

use serde_json::Value;

use super::facts::Placement;
use crate::capacity::{
    ClusterQuery, ContainerNeeds, HostPorts, Protocol, QueryError, Sharing, Spread, TaskShape, reserved,
};
use crate::task_definition::TaskDefinition;

/// What tasks of this revision ask of an instance, in this group and placed so.
///
/// A constraint that is not understood is an error and no shape: it must not count as fulfilled.
pub fn shape(
    definition: &TaskDefinition,
    group: &str,
    placement: &Placement,
) -> Result<TaskShape, QueryError> {
    let content = &definition.content;
    let mode = content.get("networkMode").and_then(Value::as_str).unwrap_or("bridge");
    let containers: Vec<&Value> = list(content.get("containerDefinitions")).collect();
    let needs: Vec<ContainerNeeds> = containers.iter().map(|it| container(it)).collect();
    let constraints = list(content.get("placementConstraints")).filter_map(|it| it.get("expression"));
    let mut member_of: Vec<ClusterQuery> =
        constraints.filter_map(Value::as_str).map(ClusterQuery::parse).collect::<Result<_, _>>()?;
    let mut sharing = Sharing::Shared;
    for (kind, expression) in &placement.constraints {
        match kind.as_str() {
            "distinctInstance" => sharing = Sharing::Distinct,
            _ => member_of.push(ClusterQuery::parse(expression)?),
        }
    }
    let by_zone = |(kind, field): &(String, String)| kind == "spread" && field.contains("availability-zone");
    let spread = match placement.strategies.as_slice() {
        strategies if strategies.iter().any(by_zone) => Spread::Zones,
        _ => Spread::Anywhere,
    };
    let is_awsvpc = mode == "awsvpc";
    Ok(TaskShape {
        needs: reserved(number(content.get("cpu")), number(content.get("memory")), &needs, is_awsvpc),
        ports: if is_awsvpc { HostPorts::default() } else { ports(&containers, mode == "host") },
        sharing,
        member_of,
        spread,
        ..TaskShape::new(group, crate::capacity::Resources::default())
    })
}

fn container(container: &Value) -> ContainerNeeds {
    let gpus = list(container.get("resourceRequirements"))
        .filter(|it| it.get("type").and_then(Value::as_str) == Some("GPU"))
        .filter_map(|it| number(it.get("value")))
        .sum();
    ContainerNeeds {
        cpu: number(container.get("cpu")).unwrap_or_default(),
        memory_mib: number(container.get("memory")),
        memory_reservation_mib: number(container.get("memoryReservation")),
        gpus,
    }
}

/// In host mode the container's port is the host's.
fn ports(containers: &[&Value], is_host: bool) -> HostPorts {
    let mut ports = HostPorts::default();
    for mapping in containers.iter().flat_map(|it| list(it.get("portMappings"))) {
        let udp = mapping.get("protocol").and_then(Value::as_str) == Some("udp");
        let port = |name: &str| {
            let port = mapping.get(name).and_then(Value::as_u64).filter(|port| *port != 0)?;
            u16::try_from(port).ok()
        };
        let port = port("hostPort").or_else(|| port("containerPort").filter(|_| is_host));
        ports.take(if udp { Protocol::Udp } else { Protocol::Tcp }, port.unwrap_or_default());
    }
    ports
}

fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// ECS writes numbers as such in containers, and as text of a task.
fn number(value: Option<&Value>) -> Option<u32> {
    let value = value?;
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    u32::try_from(number).ok()
}
