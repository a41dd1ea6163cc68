//! `windlass demo`: the whole promise, shown while it happens.
//!
//! | room | holds |
//! |---|---|
//! | this | the story |
//! | [`image`] | an image, pushed as every client pushes: over the registry's own protocol |
//! | [`follow`] | one release on its way: event → pass → plan → rollout → live |
//! | [`share`] | how much of the traffic a canary carried, and what it did with it |
//! | [`capacity`] | load rises and falls: tasks and instances follow |
//! | [`show`] | lines as they happen, and a live one below them on a terminal |
//! | [`ending`] | the table, the JSON, and whether all was as it must be |
//!
//! It looks at the world as a person would: at the ledger, at ECS, and with requests to
//! the load balancer. Nothing here helps the functions.

mod capacity;
mod ending;
mod follow;
mod image;
mod share;
mod show;

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;
use windlass_aws::{by_hand, observe};
use windlass_shared::event::Doorbell;
use windlass_shared::id::ServiceKey;
use windlass_shared::ledger::{Order, Outcome, RollbackOrder, RollbackTo};
use windlass_sim::ServiceId;
use windlass_sim::door::tcp::told_to_end;
use windlass_sim::door::tcp::traffic::Traffic;
use windlass_sim::ecs::view;

use crate::account::Account;
use crate::args::Demo;
use crate::commands::local::exports;
use crate::exit::Exit;
use crate::failure::{Failure, Result};
use crate::output::{GOOD, Output, STRONG, paint, talk};
use crate::ready::{CLUSTER, Ready, Start};
use ending::{Ending, Stream};
use follow::{Push, Release};
use image::Image;
use share::Share;
use show::Show;

/// Requests a second to each application.
const REQUESTS_PER_SEC: f64 = 50.0;
/// Real seconds of steady traffic before and after the rollouts.
const STEADY: Duration = Duration::from_millis(1500);

/// The function's first start takes a moment.
const FIRST_PASS: Duration = Duration::from_secs(5);

/// What is wanted of the first application: told by a spec, as `windlass apply` writes it.
const SHOP: &str = "\
cluster: main
service: shop
image: {repository: shop, policy: {semver: \"1.x\"}}
desired: 2
task: {container: web, cpu: 512, memory: 512, port: 8080}
route: {paths: [\"/*\"], health: {path: /healthz, interval_secs: 5, timeout_secs: 2}, deregistration_delay_secs: 10}
";

/// The same, and from now on new versions must show themselves to a fifth of the requests:
/// their answers on the test route, and their errors beside those of the version that runs.
const SHOP_WITH_CANARY: &str = "\
cluster: main
service: shop
image: {repository: shop, policy: {semver: \"1.x\"}}
desired: 2
task: {container: web, cpu: 512, memory: 512, port: 8080}
route: {paths: [\"/*\"], health: {path: /healthz, interval_secs: 5, timeout_secs: 2}, deregistration_delay_secs: 10}
rollout:
  strategy: {canary: {steps: [{percent: 20, minutes: 2}]}}
  test_route: {header: x-windlass-test, values: [\"yes\"]}
verify:
  http: [{path: /cart, status: \"200\", tries: 3}]
  compare: {max_error_increase: 1, min_requests: 40}
";
/// That fifth, and what chance may add to it among some hundred requests.
const CANARY_SHARE: f64 = 0.20;

/// The stage on which it happens.
pub(crate) struct Stage {
    pub(crate) ready: Ready,
    pub(crate) account: Account,
    pub(crate) show: Show,
}

/// Runs the demo.
pub(crate) async fn demo(args: &Demo, output: Output) -> Result<Exit> {
    let began = Instant::now();
    let started = Ready::start(Start { port: 0, alb_port: 0, speed: args.speed, state: None }).await?;
    let account = Account::of_variables(&started.variables())?;
    let stage = Stage { ready: started, account, show: Show::new() };
    let told = tokio::select! {
        told = tell(&stage) => told,
        ended = told_to_end() => Err(ended.err().unwrap_or_else(|| anyhow::anyhow!("ended by a signal")).into()),
    };
    stage.show.clear();
    let exit = match told {
        Ok(ending) => {
            ending.print(output, args.speed, began.elapsed())?;
            if args.keep {
                keep(&stage).await?;
            }
            ending.exit()
        }
        Err(failure) => return Err(end(stage, Some(failure)).await),
    };
    stage.ready.local.shutdown().await.context("ending the embedded AWS")?;
    Ok(exit)
}

/// Ends the embedded AWS, whatever happened before; that comes first.
async fn end(stage: Stage, failure: Option<Failure>) -> Failure {
    let ended = stage.ready.local.shutdown().await;
    failure.unwrap_or_else(|| ended.err().unwrap_or_else(|| anyhow::anyhow!("ended")).into())
}

/// The story.
async fn tell(stage: &Stage) -> Result<Ending> {
    let url = stage.ready.local.alb_url();
    introduce(stage);
    let shop = ServiceKey::new(CLUSTER, "shop");
    stage.show.heading("windlass apply shop.yaml: what is wanted of the application `shop`");
    let repository = json!({ "repositoryName": shop.service.as_str() });
    stage.ready.call(ServiceId::Ecr, "CreateRepository", repository)?;
    apply(stage, &shop, SHOP, "shop:1.x on /*").await?;

    let mut releases = Vec::new();
    let first = Image::new("shop", "1.0.0");
    releases.push(push(stage, &shop, first, "/", "the first image of `shop`", Outcome::Live).await?);
    let shop_traffic = Traffic::start(&url, vec!["/".into(), "/cart".into()], REQUESTS_PER_SEC);
    stage.show.watch(&shop_traffic);

    let admin = ServiceKey::new(CLUSTER, "admin");
    let labels = [
        ("windlass.path", "/admin/*"),
        ("windlass.port", "8080"),
        ("windlass.cpu", "512"),
        ("windlass.desired", "2"),
        ("windlass.health", "/admin/healthz"),
        ("windlass.health_interval", "5"),
        ("windlass.health_timeout", "2"),
        ("windlass.deregistration_delay", "10"),
    ];
    let second = labels
        .into_iter()
        .fold(Image::new("admin", "1.0.0"), |image, (name, value)| image.label(name, value));
    let words = "a second application, `admin`: no spec, its labels say /admin/*";
    releases.push(push(stage, &admin, second, "/admin/", words, Outcome::Live).await?);
    let admin_traffic = Traffic::start(&url, vec!["/admin/".into()], REQUESTS_PER_SEC);
    stage.show.watch(&admin_traffic);
    shared(stage);
    tokio::time::sleep(STEADY).await;

    let good = Image::new("shop", "1.1.0").label("sim.capacity_rps", "100");
    let words = "a new version of `shop`, under traffic";
    let before = push(stage, &shop, good, "/", words, Outcome::Live).await?;
    let crashing = Image::new("shop", "1.2.0").label("sim.crash_secs", "0.5").label("sim.crash_code", "78");
    let words = "a broken version of `shop`: it crashes as it starts";
    let crashed = push(stage, &shop, crashing, "/", words, Outcome::RolledBack).await?;

    stage.show.heading("windlass apply shop.yaml: from now on a canary comes first, and is verified");
    apply(stage, &shop, SHOP_WITH_CANARY, "20 % for 2 minutes, checks, errors compared").await?;
    let words = "a good version: a canary, verified, then promoted";
    let good = Image::new("shop", "1.3.0");
    let shown = canary(stage, &shop, good, &shop_traffic, words, Outcome::Live).await?;
    let words = "a version that answers every third request with a 500: its canary is rejected";
    let failing = Image::new("shop", "1.4.0").label("sim.error_share", "0.33");
    let rejected = canary(stage, &shop, failing, &shop_traffic, words, Outcome::RolledBack).await?;

    let back = roll_back(stage, &shop, &before).await?;
    releases.extend([before, crashed, shown, rejected, back]);
    tokio::time::sleep(STEADY).await;

    let followed = capacity::follows(stage, &shop).await?;

    let streams = vec![
        Stream::new(shop.to_string(), shop_traffic.stop().await),
        Stream::new(admin.to_string(), admin_traffic.stop().await),
    ];
    Ok(Ending::new(releases, streams, followed))
}

/// Writes the spec, and waits for the pass that its event wakes.
async fn apply(stage: &Stage, shop: &ServiceKey, spec: &str, words: &str) -> Result<()> {
    let before = stage.account.ledger.row(shop).await?.state.looked_at;
    let name = windlass_shared::spec::parameter_name(shop);
    let version = observe::put_parameter(&stage.account.clients.ssm, &name, spec).await?;
    stage.show.line("spec", &format!("/windlass/services/{shop}, version {version}: {words}"), None);
    let began = Instant::now();
    while began.elapsed() < FIRST_PASS {
        let remembered = stage.account.ledger.row(shop).await?.state;
        if remembered.looked_at != before {
            for note in &remembered.last_report {
                stage.show.line("pass", note, None);
            }
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(()) // the push rings as well
}

/// Pushes an image and follows it to its end.
async fn push(
    stage: &Stage,
    key: &ServiceKey,
    image: Image,
    path: &'static str,
    words: &str,
    expected: Outcome,
) -> Result<Release> {
    stage.show.heading(&format!("push {}:{}, {words}", image.repository, image.tag));
    let began = Instant::now();
    let pushed_at = stage.ready.local.clock().now();
    let digest = image::push(&stage.ready.local.endpoint(), &image).await?;
    let push = Push { key: key.clone(), tag: image.tag, digest, path, expected, pushed_at, began };
    follow::follow(stage, push).await
}

/// The same, and what its canary did with its share of the requests.
async fn canary(
    stage: &Stage,
    key: &ServiceKey,
    image: Image,
    traffic: &Traffic,
    words: &str,
    expected: Outcome,
) -> Result<Release> {
    let before = traffic.summary();
    let release = push(stage, key, image, "/", words, expected).await?;
    let share = Share::between(&before, &traffic.summary(), &release.digest, CANARY_SHARE);
    if release.outcome == Some(Outcome::RolledBack) {
        stage.show.line("canary", &share.to_string(), None);
    }
    Ok(Release { share: Some(share), ..release })
}

/// `windlass rollback shop`: long after the release is live.
async fn roll_back(stage: &Stage, key: &ServiceKey, to: &Release) -> Result<Release> {
    stage.show.heading(&format!("windlass rollback {}: back to {}, after completion", key.service, to.tag));
    let began = Instant::now();
    let pushed_at = stage.ready.local.clock().now();
    let by = stage.account.actor().clone();
    let reason = "customers miss the old basket".to_owned();
    let order = Order { by: by.clone(), reason: reason.clone(), at: stage.account.clock.now() };
    let order = RollbackOrder { to: RollbackTo::Digest(to.digest.clone()), order };
    stage.account.ledger.order_rollback(key, &order).await?;
    let (cluster, service) = (key.cluster.clone(), key.service.clone());
    let bell = Doorbell { cluster, service, reason: Some(format!("rollback: {reason}")), by: Some(by) };
    by_hand::ring(&stage.account.clients.events, &bell).await.context("ringing")?;
    let (tag, digest) = (to.tag.clone(), to.digest.clone());
    let push = Push { key: key.clone(), tag, digest, path: "/", expected: Outcome::Live, pushed_at, began };
    Ok(Release { by_hand: true, ..follow::follow(stage, push).await? })
}

fn introduce(stage: &Stage) {
    let local = &stage.ready.local;
    let show = &stage.show;
    let speed = local.clock().speed();
    show.heading(&format!(
        "an embedded AWS, {speed} times as fast as time: every API at {}",
        local.endpoint()
    ));
    for instance in local.with(|world| view::instances(world)) {
        let view::InstanceView { instance_id, az, cpu, memory, .. } = instance;
        show.line("instance", &format!("{instance_id} in {az}: {} CPU units, {} MiB", cpu.1, memory.1), None);
    }
    show.line("balancer", &format!("{} answers 404: nothing is here yet", local.alb_url()), None);
    let function =
        format!("{}, the binary that is deployed, with the role of template.yaml", stage.ready.function);
    show.line("function", &function, None);
}

/// Which tasks share which instances.
fn shared(stage: &Stage) {
    stage.show.heading("both applications share the two instances");
    for instance in stage.ready.local.with(|world| view::instances(world)) {
        let services = stage.ready.local.with(|world| view::services(world));
        let here = services.iter().flat_map(|service| {
            let tasks = service.tasks.iter().filter(|task| task.instance_id == instance.instance_id);
            tasks.map(|_| service.name.clone()).collect::<Vec<_>>()
        });
        let here: Vec<String> = here.collect();
        let (used, all) = instance.cpu;
        let words = format!("{}: {} ({used} of {all} CPU units)", instance.instance_id, here.join(", "));
        stage.show.line("instance", &words, None);
    }
}

/// `--keep`: until a signal.
async fn keep(stage: &Stage) -> Result<()> {
    let local = &stage.ready.local;
    talk(format!("\n{}. In another shell:\n", paint(GOOD, "It goes on running; Ctrl-C ends it")));
    talk(exports(&stage.ready.variables()));
    let registry = local.registry();
    for line in [
        format!("curl {}/ {}/admin/", local.alb_url(), local.alb_url()),
        "windlass status; windlass explain shop; windlass history shop".to_owned(),
        "aws ecs describe-services --cluster main --services shop admin".to_owned(),
        format!("skopeo copy --dest-tls-verify=false oci:image docker://{registry}/shop:1.3.0"),
    ] {
        talk(format!("  {}", paint(STRONG, line)));
    }
    told_to_end().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use windlass_shared::spec::ServiceSpec;

    #[test]
    fn the_specs_of_the_story_are_specs() {
        for spec in [super::SHOP, super::SHOP_WITH_CANARY] {
            ServiceSpec::parse(spec).unwrap();
        }
    }
}
