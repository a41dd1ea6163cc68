//! Which stack a command is for, and its settings: those of its parameter in Parameter Store, which
//! `template.yaml` makes, or the environment's where that names a table.
//!
//! 1. `--stack`, or `--table`;
//! 2. WINDLASS_TABLE, as `windlass local` and tests export it;
//! 3. WINDLASS_STACK;
//! 4. the one stack that the Region has.
//!
//! The two sources are never mixed: what a shell has still exported of one stack is not taken for another's.

use anyhow::{Context as _, anyhow};
use windlass_aws::Clients;
use windlass_aws::stacks::stacks;
use windlass_shared::deploy::installed::{Installed, stack_of};
use windlass_shared::deploy::stack::Stack;
use windlass_shared::facts::ParameterText;
use windlass_shared::id::{ClusterName, Region, StackName};

use crate::args::Global;
use crate::failure::{Failure, HintExt as _, Result};

/// Where to look next, where a stack is not where it was looked for.
const ELSEWHERE: &str = "look elsewhere by --region and --profile";

/// The stack that is meant, and those beside it.
pub(crate) struct Found {
    /// Its settings.
    pub(crate) stack: Stack,
    /// All of the Region, itself among them; `None` where that is not known.
    pub(crate) all: Option<Vec<Installed>>,
}

/// Why no stack deploys to this cluster; `None` where one does, or that is not known.
pub(crate) fn unknown_cluster(all: &[Installed], cluster: &ClusterName) -> Option<String> {
    if all.iter().any(|stack| stack.clusters().any(|of| of == *cluster)) {
        return None;
    }
    let listed = all.iter().map(|stack| {
        let clusters: Vec<String> = stack.clusters().map(|cluster| cluster.to_string()).collect();
        format!("{} has {}", stack.name, clusters.join(", "))
    });
    Some(format!(
        "cluster `{cluster}` is of no stack of Windlass in this Region ({}); correct the cluster's name, or add it to \
         the stack's ClusterNames first",
        listed.collect::<Vec<_>>().join("; ")
    ))
}

/// The settings of the stack that is meant.
pub(crate) async fn find(clients: &Clients, global: &Global) -> Result<Found> {
    let table =
        global.table.clone().or_else(|| exported("WINDLASS_TABLE").filter(|_| global.stack.is_none()));
    if let Some(table) = table {
        return Ok(Found { stack: of_environment(&clients.region, &table)?, all: None });
    }
    let wanted = global.stack.clone().or_else(|| exported("WINDLASS_STACK")).map(StackName::new);
    let place = Place::of(clients, global);
    let found = stacks(&clients.ssm).await.with_context(|| format!("looking for the stack in {place}"))?;
    let parameter =
        choose(&found, wanted.as_ref(), &place).map_err(|failure| failure.within("finding the stack"))?;
    let stack = of_parameter(&clients.region, parameter)?;
    let all: std::result::Result<Vec<_>, _> = found.iter().map(Installed::of_parameter).collect();
    Ok(Found { stack, all: all.ok() })
}

/// By the variables that `template.yaml` gives its functions.
fn of_environment(region: &Region, table: &str) -> Result<Stack> {
    let read = |name: &str| match name {
        "AWS_REGION" => Some(region.to_string()),
        "WINDLASS_TABLE" => Some(table.to_owned()),
        other => std::env::var(other).ok(),
    };
    Stack::read(read).context("reading the stack's settings in the environment").hint(
        "correct the variable; or unset WINDLASS_TABLE and give no --table, and the stack itself is asked",
    )
}

/// By what the stack says of itself.
fn of_parameter(region: &Region, parameter: &ParameterText) -> Result<Stack> {
    let read = || -> anyhow::Result<Stack> {
        let installed = Installed::of_parameter(parameter)?;
        Ok(Stack::read(|name| match name {
            "AWS_REGION" => Some(region.to_string()),
            other => installed.variable(other),
        })?)
    };
    read().with_context(|| format!("reading the stack's settings in the parameter {}", parameter.name)).hint(
        "the stack writes it, by template.yaml: update the stack, or take the windlass command of its version",
    )
}

/// The parameter of the stack that is named, or of the only one.
fn choose<'f>(
    found: &'f [ParameterText],
    wanted: Option<&StackName>,
    place: &Place,
) -> Result<&'f ParameterText> {
    let named = |parameter: &ParameterText| stack_of(&parameter.name);
    let all: Vec<StackName> = found.iter().filter_map(named).collect();
    let listed = all.iter().map(StackName::as_str).collect::<Vec<_>>().join(", ");
    let of = |name: &StackName| found.iter().find(|parameter| named(parameter).as_ref() == Some(name));
    match (wanted, all.as_slice()) {
        (Some(name), _) => of(name).ok_or_else(|| no_such(name, &listed, place)),
        (None, [only]) => of(only).ok_or_else(|| none(place)),
        (None, []) => Err(none(place)),
        (None, [first, ..]) => Err(anyhow!("{place} has {} stacks of Windlass: {listed}", all.len()))
            .hint(format!("say which one: --stack {first}, or export WINDLASS_STACK={first}")),
    }
}

fn no_such(name: &StackName, listed: &str, place: &Place) -> Failure {
    let (error, hint) = match listed {
        "" => (anyhow!("{place} has no stack of Windlass, and so no `{name}`"), install_or_look()),
        listed => (
            anyhow!("{place} has no stack `{name}` of Windlass; it has {listed}"),
            format!("correct --stack or WINDLASS_STACK, or {ELSEWHERE}"),
        ),
    };
    Failure::with_hint(error, hint)
}

fn none(place: &Place) -> Failure {
    Failure::with_hint(anyhow!("{place} has no stack of Windlass"), install_or_look())
}

fn install_or_look() -> String {
    format!(
        "install one as README.md says (Deploy it), or {ELSEWHERE}; a stack of an older template.yaml has no parameter: \
         name its table by --table, its output Table"
    )
}

/// Where it was looked.
struct Place {
    region: Region,
    /// The profile that said which account.
    profile: Option<String>,
}

impl Place {
    fn of(clients: &Clients, global: &Global) -> Self {
        let profile = global.profile.clone().or_else(|| exported("AWS_PROFILE"));
        Self { region: clients.region.clone(), profile }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.profile {
            Some(profile) => write!(f, "{} (profile {profile})", self.region),
            None => write!(f, "{}", self.region),
        }
    }
}

/// A variable that says something.
fn exported(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_shared::deploy::settings::Revisions;

    fn told(stacks: &[&str], wanted: Option<&str>) -> String {
        let parameter = |name: &&str| ParameterText {
            name: format!("/windlass/stacks/{name}"),
            version: 1,
            text: String::new(),
        };
        let found: Vec<_> = stacks.iter().map(parameter).collect();
        let place = Place { region: "eu-central-1".into(), profile: Some("prod".to_owned()) };
        match choose(&found, wanted.map(StackName::new).as_ref(), &place) {
            Ok(parameter) => parameter.name.clone(),
            Err(failure) => format!("{}\nhint: {}", failure.error, failure.hint().unwrap_or_default()),
        }
    }

    #[test]
    fn the_one_that_is_named_or_the_only_one_is_taken() {
        assert_eq!(told(&["a"], None), "/windlass/stacks/a");
        assert_eq!(told(&["a", "b"], Some("b")), "/windlass/stacks/b");
    }

    /// As the function's own: `windlass plan` tells what the stack allows, whatever a shell has exported.
    #[test]
    fn what_the_stack_says_is_what_the_command_decides_by() {
        let read = |text: &str| {
            let parameter =
                ParameterText { name: "/windlass/stacks/a".into(), version: 1, text: text.into() };
            of_parameter(&"eu-central-1".into(), &parameter)
        };
        let stack = read(r#"{"table": "t", "clusters": "main", "deregister_revisions": "no"}"#).unwrap();
        assert_eq!((stack.table.as_str(), stack.clusters.as_slice()), ("t", ["main".into()].as_slice()));
        assert_eq!(stack.settings.revisions, Revisions::Stay);
        let failure = read(r#"{"table": "t", "deregister_revisions": "maybe"}"#).unwrap_err();
        assert_eq!(
            failure.chain(),
            [
                "reading the stack's settings in the parameter /windlass/stacks/a",
                "WINDLASS_DEREGISTER_REVISIONS=maybe does not read as yes or no",
            ]
        );
        assert!(failure.hint().unwrap_or_default().contains("update the stack"));
    }

    #[test]
    fn every_no_names_the_place_the_reason_and_the_next_step() {
        insta::assert_snapshot!(told(&[], None), @"
        eu-central-1 (profile prod) has no stack of Windlass
        hint: install one as README.md says (Deploy it), or look elsewhere by --region and --profile; a stack of an older template.yaml has no parameter: name its table by --table, its output Table
        ");
        insta::assert_snapshot!(told(&["a", "b"], None), @"
        eu-central-1 (profile prod) has 2 stacks of Windlass: a, b
        hint: say which one: --stack a, or export WINDLASS_STACK=a
        ");
        insta::assert_snapshot!(told(&["a", "b"], Some("c")), @"
        eu-central-1 (profile prod) has no stack `c` of Windlass; it has a, b
        hint: correct --stack or WINDLASS_STACK, or look elsewhere by --region and --profile
        ");
        insta::assert_snapshot!(told(&[], Some("c")), @"
        eu-central-1 (profile prod) has no stack of Windlass, and so no `c`
        hint: install one as README.md says (Deploy it), or look elsewhere by --region and --profile; a stack of an older template.yaml has no parameter: name its table by --table, its output Table
        ");
    }
}
