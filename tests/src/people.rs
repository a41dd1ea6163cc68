//! What people and their tools do.

use serde_json::{Value, json};
use windlass_shared::id::{Actor, ImageDigest, RepositoryName, ServiceKey};
use windlass_shared::ledger::{Answer, Hold, Order, RollbackOrder, RollbackTo};
use windlass_sim::ecr::{PushSpec, ensure_repository, push_image};
use windlass_sim::{ServiceId, World};

use crate::account::by_hand;
use crate::function::timestamp;
use crate::registry;
use crate::stage::Stage;

/// An image that works; `content` tells it from others.
pub fn version(content: &str) -> PushSpec {
    labelled(content, &[])
}

/// An image that exits with code 3 half a second after its start, before it answered anything.
pub fn broken(content: &str) -> PushSpec {
    labelled(content, &[("sim.crash_secs", "0.5"), ("sim.crash_code", "3")])
}

/// An image with these labels.
pub fn labelled(content: &str, labels: &[(&str, &str)]) -> PushSpec {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    PushSpec { labels, content: content.to_owned(), ..PushSpec::default() }
}

impl Stage {
    /// Pushes an image under a tag, into the registry account's repository where it is called with its
    /// registry; its digest (an index's where it is one).
    pub fn push(&self, repository: &str, tag: &str, image: &PushSpec) -> ImageDigest {
        let name = RepositoryName::new(repository);
        let push = |world: &mut World| {
            ensure_repository(world, name.name());
            push_image(world, name.name(), &[tag], image)
        };
        let digest = self.door.with(|world| match name.registry() {
            Some(_) => registry::there(world, push),
            None => push(world),
        });
        let digest = digest.unwrap_or_else(|error| panic!("pushing {repository}:{tag}: {error}"));
        digest.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Deletes an image by its digest.
    pub fn delete_image(&self, repository: &str, digest: &ImageDigest) {
        let input = json!({"repositoryName": repository, "imageIds": [{"imageDigest": digest.as_str()}]});
        self.by_hand(ServiceId::Ecr, "BatchDeleteImage", &input);
    }

    /// Puts a tag onto an image that is there: `docker buildx imagetools create`.
    pub fn retag(&self, repository: &str, digest: &ImageDigest, tag: &str) {
        let ids = json!([{"imageDigest": digest.as_str()}]);
        let input = json!({"repositoryName": repository, "imageIds": ids});
        let got = self.by_hand(ServiceId::Ecr, "BatchGetImage", &input);
        let image = &got["images"][0];
        let mut input = json!({"repositoryName": repository, "imageTag": tag,
            "imageManifest": image["imageManifest"]});
        if image["imageManifestMediaType"].is_string() {
            input["imageManifestMediaType"] = image["imageManifestMediaType"].clone();
        }
        self.by_hand(ServiceId::Ecr, "PutImage", &input);
    }

    /// Writes a spec, as `windlass apply` does.
    pub fn apply_spec(&self, service: &str, yaml: &str) {
        let name = format!("/windlass/services/{}/{service}", crate::CLUSTER);
        self.put_parameter(&name, yaml);
    }

    /// Writes a parameter.
    pub fn put_parameter(&self, name: &str, value: &str) {
        let input = json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true});
        self.by_hand(ServiceId::Ssm, "PutParameter", &input);
    }

    /// An API call of a person's, or of Terraform's.
    pub fn by_hand(&self, service: ServiceId, operation: &str, input: &Value) -> Value {
        self.door.with(|world| by_hand(world, service, operation, input))
    }

    /// `windlass hold`.
    pub async fn hold(&self, key: &ServiceKey, reason: &str) {
        let hold = Hold { by: Actor::new("ann"), reason: reason.to_owned(), at: timestamp(self.now()) };
        self.ledger.hold(key, &hold).await.unwrap_or_else(|error| panic!("{error}"));
        self.ring(key);
    }

    /// `windlass resume`.
    pub async fn resume(&self, key: &ServiceKey) {
        let held = self.ledger.resume(key).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(held, "{key} was held");
        self.ring(key);
    }

    /// `windlass approve`, `windlass reject`: to the question that stands in the row.
    pub async fn say(&self, key: &ServiceKey, approve: bool, reason: &str) {
        let question = self.row(key).await.state.marks.question.expect("a question stands");
        let order = Order { by: Actor::new("ann"), reason: reason.to_owned(), at: timestamp(self.now()) };
        let answer = Answer { question: question.id, approve, order };
        self.ledger.answer(key, &answer).await.unwrap_or_else(|error| panic!("{error}"));
        self.ring(key);
    }

    /// `windlass release`.
    pub async fn release(&self, key: &ServiceKey, digest: &ImageDigest) {
        let released =
            self.ledger.release_digest(key, digest).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(released, "{digest} was in quarantine");
        self.ring(key);
    }

    /// `windlass rollback`.
    pub async fn roll_back(&self, key: &ServiceKey, to: RollbackTo) {
        let order =
            Order { by: Actor::new("ann"), reason: "it is slow".to_owned(), at: timestamp(self.now()) };
        let order = RollbackOrder { to, order };
        self.ledger.order_rollback(key, &order).await.unwrap_or_else(|error| panic!("{error}"));
        self.ring(key);
    }

    /// `windlass ring`.
    pub fn ring(&self, key: &ServiceKey) {
        let detail = json!({"cluster": key.cluster, "service": key.service, "by": "ann"}).to_string();
        let entry = json!({"Source": "windlass", "DetailType": "Windlass Doorbell", "Detail": detail});
        self.by_hand(ServiceId::Events, "PutEvents", &json!({ "Entries": [entry] }));
    }
}
