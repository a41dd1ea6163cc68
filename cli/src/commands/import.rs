//! `windlass import`: a spec for a service that is there already, from what runs or from an ecspresso
//! configuration. It writes nothing: what it prints is for a person to read and to apply.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};
use windlass_aws::observe;
use windlass_shared::id::ServiceKey;
use windlass_shared::registry::Home;
use windlass_shared::spec::import::{Container, FILLED_IN, import};

use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::Output;

/// Of the service as it runs.
pub(super) async fn live(
    account: &Account,
    service: &str,
    container: Option<&str>,
    output: Output,
) -> Result<Exit> {
    let key = account.key(service)?;
    let running =
        observe::running(&account.clients.ecs, &key).await.with_context(|| format!("looking at {key}"))?;
    let Some((running, definition)) = running else {
        return Err(anyhow!("{key}: ECS has no such service"))
            .hint("`aws ecs list-services --cluster CLUSTER` has their names");
    };
    let containers: Vec<Container> = definition
        .images()
        .into_iter()
        .filter_map(|(name, image)| Some(Container { name: name.to_string(), image: image?.to_owned() }))
        .collect();
    print(&key, &containers, container, home(running.arn.as_str()).as_ref(), output)
}

/// Where a service is: its ARN says it.
fn home(service_arn: &str) -> Option<Home> {
    let mut parts = service_arn.split(':').skip(3);
    let (region, account) = (parts.next()?, parts.next()?);
    Some(Home { account: Some(account.into()), region: region.into() })
}

/// Of an ecspresso configuration.
pub(super) fn ecspresso(path: &Path, container: Option<&str>, output: Output) -> Result<Exit> {
    let (key, containers) = read(path)?;
    print(&key, &containers, container, None, output)
}

fn print(
    key: &ServiceKey,
    containers: &[Container],
    only: Option<&str>,
    home: Option<&Home>,
    output: Output,
) -> Result<Exit> {
    let yaml = import(key, containers, only, home)?;
    output.data(&json!({"service": key.to_string(), "spec": yaml}), || yaml.trim_end().to_owned())?;
    Ok(Exit::Ok)
}

/// What of ecspresso.yml matters here. It has more keys, and they are ECS's own settings: the live
/// service has them.
#[derive(Debug, Deserialize)]
struct Config {
    cluster: Option<String>,
    service: Option<String>,
    service_definition: Option<PathBuf>,
    task_definition: PathBuf,
}

fn read(path: &Path) -> Result<(ServiceKey, Vec<Container>)> {
    let config: Config = serde_saphyr::from_str(&filled_in(path)?)
        .with_context(|| format!("reading {} as ecspresso's configuration", path.display()))?;
    let beside = |file: &Path| path.parent().unwrap_or(Path::new("")).join(file);
    let service = match (&config.service, &config.service_definition) {
        (Some(service), _) => service.clone(),
        (None, Some(file)) => {
            let definition = definition(&beside(file))?;
            let name = definition["serviceName"].as_str();
            name.ok_or_else(|| anyhow!("neither it nor {} names the service", file.display()))?.to_owned()
        }
        (None, None) => {
            return Err(anyhow!("{}: no `service`: a task alone has no releases to follow", path.display()))?;
        }
    };
    // As ecspresso: without a name it is ECS's own default cluster.
    let cluster = config.cluster.unwrap_or_else(|| "default".to_owned());
    let definition = definition(&beside(&config.task_definition))?;
    let containers = containers(&definition)
        .ok_or_else(|| anyhow!("{}: no `containerDefinitions`", config.task_definition.display()))?;
    Ok((ServiceKey::new(cluster, service), containers))
}

/// A definition of ecspresso's: as AWS writes it, also within its request's or answer's frame.
fn definition(path: &Path) -> Result<Value> {
    if path.extension().is_some_and(|extension| extension == "jsonnet") {
        return Err(anyhow!("{} is Jsonnet, which ecspresso evaluates", path.display()))
            .hint("have it written: `ecspresso render taskdef > ecs-task-def.json`, and name that file in the configuration");
    }
    let text = filled_in(path)?;
    let value: Value =
        serde_saphyr::from_str(&text).with_context(|| format!("reading {}", path.display()))?;
    for frame in ["taskDefinition", "service"] {
        if let Some(framed) = value.get(frame).filter(|framed| framed.is_object()) {
            return Ok(framed.clone());
        }
    }
    Ok(value)
}

fn containers(definition: &Value) -> Option<Vec<Container>> {
    let containers = definition.get("containerDefinitions")?.as_array()?;
    let of = |container: &Value| {
        let text = |key: &str| container.get(key)?.as_str().map(str::to_owned);
        Some(Container { name: text("name")?, image: text("image")? })
    };
    Some(containers.iter().filter_map(of).collect())
}

/// The file's text. What ecspresso would fill in (`{{ must_env "TAG" }}`) is not known here, and says so.
fn filled_in(path: &Path) -> Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let action = Regex::new(r"(?s)\{\{.*?\}\}").context("the pattern of a template's action")?;
    Ok(action.replace_all(&text, FILLED_IN).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    const TASK: &str = r#"{"family": "shop", "containerDefinitions": [
        {"name": "web", "image": "{{ must_env `ECR` }}/shop:{{ must_env "TAG" }}", "essential": true},
        {"name": "proxy", "image": "envoyproxy/envoy:v1.30"}]}"#;

    #[test]
    fn a_configuration_with_templates_is_read() {
        let config = "region: eu-central-1\ncluster: main\nservice: shop\ntask_definition: ecs-task-def.json\ntimeout: 10m\nplugins:\n  - name: tfstate\n    config: {url: \"s3://{{ env `B` `b` }}/x\"}\n";
        let files = written(&[("ecspresso.yml", config), ("ecs-task-def.json", TASK)]);
        let (key, containers) = read(&files.path().join("ecspresso.yml")).map_err(|it| it.error).unwrap();
        assert_eq!(key, ServiceKey::new("main", "shop"));
        let yaml = import(&key, &containers, None, None).unwrap();
        insta::assert_snapshot!(yaml, @"
        cluster: main
        service: shop
        image:
          repository: shop
          # The tag is filled in at each release: the newest push.
          policy: newest
        ");
    }

    #[test]
    fn the_service_may_be_named_in_its_definition_alone() {
        let config = "service_definition: service.json\ntask_definition: task.json\n";
        let service = r#"{"service": {"serviceName": "blog", "desiredCount": 2}}"#;
        let task = r#"{"taskDefinition": {"containerDefinitions": [{"name": "web", "image": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/blog:1.0.0"}]}}"#;
        let files = written(&[("e.yml", config), ("service.json", service), ("task.json", task)]);
        let (key, containers) = read(&files.path().join("e.yml")).map_err(|it| it.error).unwrap();
        assert_eq!(key, ServiceKey::new("default", "blog"));
        assert_eq!(containers.len(), 1);
    }

    #[test]
    fn jsonnet_is_refused_with_the_way_to_render_it() {
        let files =
            written(&[("e.yml", "service: shop\ntask_definition: task.jsonnet\n"), ("task.jsonnet", "{}")]);
        let failure = read(&files.path().join("e.yml")).err().unwrap();
        assert!(failure.hint().unwrap().contains("ecspresso render taskdef"));
    }

    #[test]
    fn a_task_without_a_service_is_refused() {
        let files = written(&[("e.yml", "task_definition: task.json\n"), ("task.json", TASK)]);
        let failure = read(&files.path().join("e.yml")).err().unwrap();
        assert!(failure.error.to_string().contains("no `service`"), "{}", failure.error);
    }
}
