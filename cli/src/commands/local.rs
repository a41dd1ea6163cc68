//! `windlass local`: the embedded AWS alone, with the functions wired.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde::Serialize;
use windlass_sim::door::tcp::{Origin, told_to_end};

use crate::args::Local;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{FAINT, GOOD, Output, STRONG, paint, talk};
use crate::ready::{CLUSTER, Ready, Start};

/// What a script needs to know of it.
#[derive(Debug, Serialize)]
struct Told {
    endpoint: String,
    registry: String,
    load_balancer: String,
    cluster: &'static str,
    function: String,
    variables: BTreeMap<String, String>,
}

/// Runs until it is told to end.
pub(super) async fn local(args: Local, output: Output) -> Result<Exit> {
    let start = Start { port: args.port, alb_port: args.alb_port, speed: args.speed, state: args.state };
    let ready = Ready::start(start).await?;
    let told = Told {
        endpoint: ready.local.endpoint(),
        registry: ready.local.registry(),
        load_balancer: ready.local.alb_url(),
        cluster: CLUSTER,
        function: ready.function.clone(),
        variables: ready.variables(),
    };
    introduce(&ready, &told, args.speed);
    output.data(&told, || exports(&told.variables))?;
    told_to_end().await?;
    talk("ending");
    ready.local.shutdown().await.context("ending the embedded AWS")?;
    Ok(Exit::Ok)
}

fn introduce(ready: &Ready, told: &Told, speed: f64) {
    let again = match ready.local.origin() {
        Origin::New => "is ready",
        Origin::Restored => "is back as it was",
    };
    let pace = if (speed - 1.0).abs() < f64::EPSILON {
        String::new()
    } else {
        format!(", {speed} times as fast as time")
    };
    talk(format!("{} {again}{pace}. Ctrl-C ends it.", paint(GOOD, "The embedded AWS")));
    for (what, is) in [
        ("every AWS API", told.endpoint.clone()),
        ("load balancer", told.load_balancer.clone()),
        ("registry", format!("{}/<repository>:<tag>", told.registry)),
        ("cluster", format!("{CLUSTER}, two instances")),
    ] {
        talk(format!("  {:<16}{}", what, paint(STRONG, is)));
    }
    for line in [
        "push:  skopeo copy --dest-tls-verify=false docker-archive:shop.tar docker://".to_owned()
            + &told.registry
            + "/shop:v1",
        format!("log:   curl {}/_windlass/functions/{}/log", told.endpoint, told.function),
        "shell: eval the lines below".to_owned(),
    ] {
        talk(paint(FAINT, format!("  {line}")));
    }
}

/// Lines for a shell's `eval`.
pub(crate) fn exports(variables: &BTreeMap<String, String>) -> String {
    let lines = variables.iter().map(|(name, value)| format!("export {name}={}", quoted(value)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Quoted for a shell, where it has to be.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:/=@%+".contains(c);
    if value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exports_are_safe_for_a_shell() {
        let variables = [("A", "http://127.0.0.1:1"), ("B", "*"), ("C", "it's")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        insta::assert_snapshot!(exports(&variables.into()), @r"
        export A=http://127.0.0.1:1
        export B='*'
        export C='it'\''s'
        ");
    }
}
