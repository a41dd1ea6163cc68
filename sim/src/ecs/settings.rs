//! What a service was told: the members of `CreateService` and `UpdateService` that ECS
//! keeps and gives back, and how the scheduler reads them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::args::{self, invalid};
use super::strategy::{self, Strategy};
use crate::call::ApiError;

/// Members that a new deployment is needed for when they change.
pub(crate) const DEPLOYING: [&str; 7] = [
    "networkConfiguration",
    "platformVersion",
    "loadBalancers",
    "serviceRegistries",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
];

/// Members that change without one.
pub(crate) const QUIET: [&str; 9] = [
    "capacityProviderStrategy",
    "availabilityZoneRebalancing",
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableExecuteCommand",
    "enableECSManagedTags",
    "propagateTags",
    "deploymentController",
];

/// Members that belong to a deployment rather than to `DescribeServices`' top level.
pub(crate) const OF_DEPLOYMENT: [&str; 3] =
    ["serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"];

/// The members, by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Settings(pub(crate) Map<String, Value>);

/// A target group that a service registers its tasks in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LoadBalancer {
    pub(crate) group: String,
    pub(crate) container: String,
    pub(crate) port: u16,
    /// What blue/green deployments and their like need.
    #[serde(default)]
    pub(crate) advanced: Option<Advanced>,
}

/// `advancedConfiguration`: the second target group, and the rules whose weights move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Advanced {
    /// Of the pair of groups the one that these tasks are *not* registered in.
    pub(crate) other: String,
    pub(crate) production: String,
    pub(crate) test: Option<String>,
}

impl LoadBalancer {
    /// The same with its two groups changed for each other.
    pub(crate) fn swapped(&self) -> Self {
        let mut swapped = self.clone();
        if let Some(advanced) = &mut swapped.advanced {
            std::mem::swap(&mut swapped.group, &mut advanced.other);
        }
        swapped
    }
}

/// The circuit breaker's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Breaker {
    pub(crate) enabled: bool,
    pub(crate) rollback: bool,
    /// Whether a healthy task sets the count of failures back to 0.
    pub(crate) reset: bool,
    rule: Threshold,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Threshold {
    BoundedPercent(u32),
    UnboundedPercent(u32),
    Count(u32),
}

impl Breaker {
    /// Failures at which a deployment of `desired` tasks fails. By default half of the
    /// desired count, rounded up, at least 3 and at most 200.
    pub(crate) fn threshold(self, desired: u32) -> u32 {
        let share = |percent: u32| (desired * percent).div_ceil(100);
        match self.rule {
            Threshold::BoundedPercent(percent) => share(percent).clamp(3, 200),
            Threshold::UnboundedPercent(percent) => share(percent).max(1),
            Threshold::Count(count) => count.max(1),
        }
    }
}

impl Settings {
    /// `CreateService`'s members with AWS's defaults.
    pub(crate) fn create(input: &Value, account: &str) -> Result<Self, ApiError> {
        let names = DEPLOYING.iter().chain(&QUIET).chain(&["launchType", "schedulingStrategy"]);
        let names: Vec<&str> = names.copied().collect();
        let mut members = args::pick(input, &names);
        let providers = members.contains_key("capacityProviderStrategy");
        let mut default = |name: &str, value: Value| {
            members.entry(name).or_insert(value);
        };
        if !providers {
            default("launchType", json!("EC2"));
        }
        default("schedulingStrategy", json!("REPLICA"));
        default("deploymentController", json!({ "type": "ECS" }));
        default("placementConstraints", json!([]));
        default("placementStrategy", json!([]));
        default("loadBalancers", json!([]));
        default("serviceRegistries", json!([]));
        default("enableECSManagedTags", json!(false));
        default("enableExecuteCommand", json!(false));
        default("propagateTags", json!("NONE"));
        default("availabilityZoneRebalancing", json!("ENABLED"));
        default(
            "deploymentConfiguration",
            json!({
                "deploymentCircuitBreaker": { "enable": false, "rollback": false },
                "maximumPercent": 200,
                "minimumHealthyPercent": 100,
                "strategy": "ROLLING",
                "bakeTimeInMinutes": 0,
            }),
        );
        let mut settings = Self(members);
        settings.merge_configuration(input)?;
        check_bake_is_given(input, Strategy::Rolling)?;
        if !settings.load_balancers().is_empty() {
            settings.0.entry("healthCheckGracePeriodSeconds").or_insert(json!(0));
            let role = "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS";
            settings.0.insert("roleArn".into(), json!(format!("arn:aws:iam::{account}:role/{role}")));
        }
        settings.check()?;
        Ok(settings)
    }

    /// `UpdateService`'s members laid over these: what is omitted stays, an empty list
    /// removes.
    pub(crate) fn updated(&self, input: &Value) -> Result<Self, ApiError> {
        let mut settings = self.clone();
        check_bake_is_given(input, Strategy::of(&self.member("deploymentConfiguration")))?;
        settings.0.extend(args::pick(input, &DEPLOYING));
        settings.0.extend(args::pick(input, &QUIET));
        settings.merge_configuration(input)?;
        settings.check()?;
        Ok(settings)
    }

    /// Members of `deploymentConfiguration` that are not given stay as they are, those of
    /// its circuit breaker too.
    fn merge_configuration(&mut self, input: &Value) -> Result<(), ApiError> {
        let Some(given) = input.get("deploymentConfiguration").filter(|it| !it.is_null()) else {
            return Ok(());
        };
        let given = given.as_object().ok_or_else(|| {
            ApiError::client("SerializationException", "deploymentConfiguration is not a structure")
        })?;
        let live = self.0.entry("deploymentConfiguration").or_insert_with(|| json!({}));
        for (name, value) in given.iter().filter(|(_, value)| !value.is_null()) {
            match (live[name].as_object_mut(), value.as_object()) {
                (Some(live), Some(given)) if name == "deploymentCircuitBreaker" => live.extend(given.clone()),
                _ => live[name] = value.clone(),
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ApiError> {
        let configuration = self.member("deploymentConfiguration");
        let minimum = args::count(&configuration, "minimumHealthyPercent")?.unwrap_or(100);
        let maximum = args::count(&configuration, "maximumPercent")?.unwrap_or(200);
        if minimum == 100 && maximum == 100 {
            return Err(invalid(
                "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.",
            ));
        }
        if minimum > 100 || maximum < minimum || maximum == 0 {
            return Err(invalid(format!(
                "Invalid deployment configuration: minimumHealthyPercent {minimum}, maximumPercent {maximum}."
            )));
        }
        check_threshold(&configuration["deploymentCircuitBreaker"]["thresholdConfiguration"])?;
        self.check_supported()?;
        strategy::check(&configuration)?;
        self.check_traffic(Strategy::of(&configuration))?;
        for constraint in args::list(&Value::Object(self.0.clone()), "placementConstraints")? {
            super::placement::check_constraint(constraint)?;
        }
        Ok(())
    }

    /// What this simulator does not carry out is refused, never quietly rolled.
    fn check_supported(&self) -> Result<(), ApiError> {
        let unsupported = |what: &str| {
            Err(ApiError::client(
                "UnsupportedFeatureException",
                format!(
                    "The embedded ECS does not carry out {what}: use a REPLICA service with the controller ECS."
                ),
            ))
        };
        match self.member("schedulingStrategy").as_str() {
            None | Some("REPLICA") => {}
            Some(other) => return unsupported(&format!("the scheduling strategy {other}")),
        }
        match self.member("deploymentController")["type"].as_str() {
            None | Some("ECS") => Ok(()),
            Some(other) => unsupported(&format!("the deployment controller {other}")),
        }
    }

    /// A strategy that shifts traffic needs to know between which groups and by which rules;
    /// without a load balancer only BLUE_GREEN works, and shifts nothing.
    fn check_traffic(&self, strategy: Strategy) -> Result<(), ApiError> {
        let settings = Value::Object(self.0.clone());
        let entries = args::list(&settings, "loadBalancers")?;
        if entries.is_empty() && matches!(strategy, Strategy::Canary | Strategy::Linear) {
            return Err(invalid("LINEAR and CANARY deployments need a load balancer or Service Connect."));
        }
        for entry in entries {
            match entry.get("advancedConfiguration").filter(|it| !it.is_null()) {
                Some(advanced) => check_advanced(entry, advanced)?,
                None if strategy.has_two_sets() => {
                    return Err(invalid(
                        "advancedConfiguration is required for each load balancer with the deployment \
                         strategies BLUE_GREEN, LINEAR and CANARY.",
                    ));
                }
                None => {}
            }
        }
        Ok(())
    }

    /// A member; null where it is not set.
    pub(crate) fn member(&self, name: &str) -> Value {
        self.0.get(name).cloned().unwrap_or(Value::Null)
    }

    pub(crate) fn load_balancers(&self) -> Vec<LoadBalancer> {
        let entries = self.0.get("loadBalancers").and_then(Value::as_array);
        entries.into_iter().flatten().filter_map(load_balancer).collect()
    }

    /// Seconds after a task's start in which unhealthy targets do not count.
    pub(crate) fn grace_secs(&self) -> u64 {
        self.0.get("healthCheckGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(0)
    }

    fn percent(&self, name: &str, default: u32) -> u32 {
        let value = self.0.get("deploymentConfiguration").and_then(|it| it[name].as_u64());
        value.and_then(|it| u32::try_from(it).ok()).unwrap_or(default)
    }

    /// Healthy tasks below which the scheduler stops none, rounded up.
    pub(crate) fn least_healthy(&self, desired: u32) -> usize {
        (desired * self.percent("minimumHealthyPercent", 100)).div_ceil(100) as usize
    }

    /// Healthy tasks with which a set can serve all traffic: the minimum, and never none.
    pub(crate) fn enough(&self, desired: u32) -> usize {
        self.least_healthy(desired).max(usize::from(desired > 0))
    }

    /// Tasks that may be there at once, rounded down.
    pub(crate) fn most_tasks(&self, desired: u32) -> usize {
        (desired * self.percent("maximumPercent", 200) / 100) as usize
    }

    pub(crate) fn breaker(&self) -> Breaker {
        let breaker = &self.member("deploymentConfiguration")["deploymentCircuitBreaker"];
        let flag = |name: &str, default: bool| breaker[name].as_bool().unwrap_or(default);
        let rule = &breaker["thresholdConfiguration"];
        let value = rule["value"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(50);
        Breaker {
            enabled: flag("enable", false),
            rollback: flag("rollback", false),
            reset: flag("resetOnHealthyTask", true),
            rule: match rule["type"].as_str() {
                Some("COUNT") => Threshold::Count(value),
                Some("UNBOUNDED_PERCENT") => Threshold::UnboundedPercent(value),
                _ => Threshold::BoundedPercent(value),
            },
        }
    }

    /// The members that a service revision records.
    pub(crate) fn of_revision(&self) -> Map<String, Value> {
        let names = DEPLOYING.iter().chain(&["launchType", "capacityProviderStrategy"]);
        names.filter_map(|name| self.0.get(*name).map(|value| ((*name).to_owned(), value.clone()))).collect()
    }
}

fn load_balancer(entry: &Value) -> Option<LoadBalancer> {
    Some(LoadBalancer {
        group: entry["targetGroupArn"].as_str()?.to_owned(),
        container: entry["containerName"].as_str()?.to_owned(),
        port: u16::try_from(entry["containerPort"].as_u64()?).ok()?,
        advanced: advanced(&entry["advancedConfiguration"]),
    })
}

fn check_threshold(threshold: &Value) -> Result<(), ApiError> {
    match args::text(threshold, "type")? {
        None | Some("BOUNDED_PERCENT" | "UNBOUNDED_PERCENT" | "COUNT") => {}
        Some(other) => return Err(invalid(format!("Invalid circuit breaker threshold type: {other}"))),
    }
    match args::count(threshold, "value")? {
        Some(0) => Err(invalid("The circuit breaker's threshold value must be at least 1.")),
        _ => Ok(()),
    }
}

/// "You must provide this parameter when you use the `BLUE_GREEN` deployment strategy": by
/// the call that turns to it.
fn check_bake_is_given(input: &Value, live: Strategy) -> Result<(), ApiError> {
    let given = &input["deploymentConfiguration"];
    let turns = given["strategy"] == "BLUE_GREEN" && live != Strategy::BlueGreen;
    if turns && given["bakeTimeInMinutes"].is_null() {
        return Err(invalid("bakeTimeInMinutes is required for the BLUE_GREEN deployment strategy."));
    }
    Ok(())
}

fn advanced(entry: &Value) -> Option<Advanced> {
    Some(Advanced {
        other: entry["alternateTargetGroupArn"].as_str()?.to_owned(),
        production: entry["productionListenerRule"].as_str()?.to_owned(),
        test: entry["testListenerRule"].as_str().map(str::to_owned),
    })
}

fn check_advanced(entry: &Value, advanced: &Value) -> Result<(), ApiError> {
    let alternate = args::required(advanced, "alternateTargetGroupArn")?;
    args::required(advanced, "productionListenerRule")?;
    args::required(advanced, "roleArn")?;
    args::text(advanced, "testListenerRule")?;
    if args::text(entry, "targetGroupArn")? == Some(alternate) {
        return Err(invalid("targetGroupArn and alternateTargetGroupArn must be different target groups."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_towards_safety() {
        let input = json!({"deploymentConfiguration": {"minimumHealthyPercent": 50, "maximumPercent": 150}});
        let settings = Settings::create(&input, "1").unwrap();
        let bounds = [1, 2, 3, 4].map(|it| (settings.least_healthy(it), settings.most_tasks(it)));
        assert_eq!(bounds, [(1, 1), (1, 3), (2, 4), (2, 6)]);
    }

    #[test]
    fn the_breaker_trips_at_half_but_three_at_least() {
        let breaker = Settings::default().breaker();
        assert_eq!([1, 6, 7, 25, 1000].map(|it| breaker.threshold(it)), [3, 3, 4, 13, 200]);
        let counted = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {
            "enable": true, "rollback": true, "thresholdConfiguration": {"type": "COUNT", "value": 1}}}});
        assert_eq!(Settings::create(&counted, "1").unwrap().breaker().threshold(50), 1);
        for wrong in [json!({"type": "SHARE"}), json!({"type": "COUNT", "value": 0})] {
            let input = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {
                "enable": true, "rollback": true, "thresholdConfiguration": wrong}}});
            assert_eq!(Settings::create(&input, "1").unwrap_err().code, "InvalidParameterException");
        }
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let first = json!({"deploymentConfiguration": {"maximumPercent": 150, "deploymentCircuitBreaker":
            {"enable": true, "rollback": true, "resetOnHealthyTask": false}}});
        let settings = Settings::create(&first, "1").unwrap();
        let second = json!({"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": false}}});
        let updated = settings.updated(&second).unwrap();
        assert_eq!(updated.member("deploymentConfiguration")["maximumPercent"], 150);
        assert!(!updated.breaker().reset);
        assert!(!updated.breaker().rollback);
    }

    #[test]
    fn a_strategy_that_shifts_traffic_needs_its_groups_and_rules() {
        let refused = |strategy: Value, advanced: Value| {
            let input = json!({"deploymentConfiguration": strategy, "loadBalancers": [{"targetGroupArn": "blue",
                "containerName": "web", "containerPort": 80, "advancedConfiguration": advanced}]});
            Settings::create(&input, "1").unwrap_err().message
        };
        let canary = json!({"strategy": "CANARY"});
        assert!(refused(canary.clone(), Value::Null).contains("advancedConfiguration is required"));
        let no_role = json!({"alternateTargetGroupArn": "green", "productionListenerRule": "rule"});
        assert!(refused(canary.clone(), no_role).contains("roleArn"));
        let same =
            json!({"alternateTargetGroupArn": "blue", "productionListenerRule": "rule", "roleArn": "role"});
        assert!(refused(canary.clone(), same).contains("must be different"));
        let headless = Settings::create(&json!({"deploymentConfiguration": canary}), "1").unwrap_err();
        assert!(headless.message.contains("load balancer"));
        let blue_green = |bake: Value| {
            let input =
                json!({"deploymentConfiguration": {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": bake}});
            Settings::create(&input, "1")
        };
        assert!(blue_green(Value::Null).unwrap_err().message.contains("bakeTimeInMinutes"));
        assert!(blue_green(json!(0)).is_ok());
    }

    #[test]
    fn what_is_not_carried_out_is_refused() {
        let input = json!({"schedulingStrategy": "DAEMON"});
        assert_eq!(Settings::create(&input, "1").unwrap_err().code, "UnsupportedFeatureException");
        let both = json!({"deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 100}});
        assert!(Settings::create(&both, "1").unwrap_err().message.contains("block deployments"));
    }
}
