//! A second account that holds images: `registry/registry.yaml` is installed there, as a person would.

use serde_json::{Value, json};
use windlass_sim::World;
use windlass_sim::call::{Call, Caller};
use windlass_sim::ecr::ensure_repository;
use windlass_sim::template::{self, StackConfig};
use windlass_sim::{ServiceId, ecr};

use crate::ImageDigest;
use crate::account::{by_hand, text};
use crate::stage::Stage;

/// The account that holds images.
pub const ACCOUNT: &str = "111122223333";
/// Its registry.
pub const HOST: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com";

const TEMPLATE: &str = include_str!("../../registry/registry.yaml");
const STACK: &str = "registry";

/// `<its registry>/<name>`: what specs and tags call one of its repositories.
pub fn repository(name: &str) -> String {
    format!("{HOST}/{name}")
}

impl Stage {
    /// A stage beside which there is a registry account, whose stack forwards to this one; this stack's
    /// `RegistryAccounts` are `accounts`. The repository `shop` there may be read from here.
    pub async fn beside_a_registry(seed: u64, accounts: &str) -> Self {
        let mut stage = Self::with_parameters(seed, &[("RegistryAccounts", accounts)]).await;
        stage.door.with(|world| {
            let home = world.config.account.clone();
            world.add_account(ACCOUNT);
            there(world, |world| {
                ensure_repository(world, "shop");
                install(world, &home)
            });
        });
        stage.open("shop");
        stage
    }

    /// Gives a repository there the policy that its stack puts out.
    pub fn open(&mut self, repository: &str) {
        self.door.with(|world| {
            let home = world.config.account.clone();
            there(world, |world| {
                let policy = install(world, &home).outputs["RepositoryPolicy"].clone();
                let input = json!({"repositoryName": repository, "policyText": policy});
                by_hand(world, ServiceId::Ecr, "SetRepositoryPolicy", &input);
            });
        });
    }

    /// An API call in the registry account.
    pub fn by_hand_there(&self, service: ServiceId, operation: &str, input: &Value) -> Value {
        self.door.with(|world| there(world, |world| by_hand(world, service, operation, input)))
    }

    /// ECR replicates an image from there.
    pub fn replicate(&self, repository: &str, tag: &str) -> ImageDigest {
        let done = self.door.with(|world| ecr::replicate(world, ACCOUNT, repository, tag));
        digest(done, repository)
    }

    /// Somebody pulls an image through a cache whose upstream is the registry there.
    pub fn pull_through(&self, prefix: &str, repository: &str, tag: &str) -> ImageDigest {
        let done = self.door.with(|world| ecr::pull_through_cache(world, ACCOUNT, prefix, repository, tag));
        digest(done, repository)
    }

    /// A call to ECR as the deploy function makes it.
    pub fn as_the_function(&self, operation: &str, input: &Value) -> Result<Value, String> {
        let caller = Caller { access_key: windlass_sim::lambda::access_key(&self.function) };
        let (operation, input) = (operation.to_owned(), input.clone());
        let call = Call { service: ServiceId::Ecr, operation, input, caller };
        self.door
            .with(|world| world.call(&call))
            .map_err(|error| format!("{}: {}", error.code, error.message))
    }
}

/// Does something in the registry account.
pub(crate) fn there<T>(world: &mut World, act: impl FnOnce(&mut World) -> T) -> T {
    world.in_account(ACCOUNT, act).unwrap_or_else(|| panic!("the stage has no account {ACCOUNT}"))
}

fn install(world: &mut World, workload: &str) -> template::Stack {
    let config = StackConfig::named(STACK).with("WorkloadAccount", workload);
    let stack = template::install(world, TEMPLATE, &config)
        .unwrap_or_else(|error| panic!("registry/registry.yaml: {error:#}"));
    assert_eq!(text(&json!(stack.outputs["Registry"])), HOST);
    stack
}

fn digest(done: Option<String>, repository: &str) -> ImageDigest {
    let digest = done.unwrap_or_else(|| panic!("there is no such image of {repository} in {ACCOUNT}"));
    digest.parse().unwrap_or_else(|error| panic!("{error}"))
}
