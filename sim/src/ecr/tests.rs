//! The registry through its two doors: the control API and the distribution protocol.

#![expect(clippy::needless_pass_by_value, reason = "a call reads best with its input in place")]

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use super::manifest::{OCI_INDEX, OCI_MANIFEST, digest_of};
use super::{Ecr, PushSpec, ensure_repository, handle, http, pull, push_image};
use crate::world::{Config, World};

const SHOP: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";

fn world() -> World {
    let mut world = World::new(Config::default());
    ensure_repository(&mut world, "shop");
    world
}

fn call(world: &mut World, operation: &str, input: Value) -> Value {
    handle(world, operation, &input).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

fn code(world: &mut World, operation: &str, input: Value) -> String {
    handle(world, operation, &input).expect_err(operation).code
}

fn send(world: &mut World, method: Method, path: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    http(world, &Request::builder().method(method).uri(path).body(body.into()).unwrap())
}

fn oci_code(response: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    body["errors"][0]["code"].as_str().unwrap().to_owned()
}

fn multi_arch() -> PushSpec {
    PushSpec { architectures: vec!["amd64".into(), "arm64".into()], attestation: true, ..PushSpec::default() }
}

/// What the bus saw since the last look: detail types and details.
fn emitted(world: &mut World) -> Vec<(String, Value)> {
    let events = world.bus.log.drain(..).map(|logged| logged.event);
    events.map(|event| (event.detail_type().to_owned(), event.detail().clone())).collect()
}

#[test]
fn a_plain_push_is_one_event_with_both_media_types_and_the_image_is_described() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    let expected = json!({
        "action-type": "PUSH", "result": "SUCCESS", "repository-name": "shop", "image-digest": digest,
        "image-tag": "v1", "manifest-media-type": OCI_MANIFEST,
        "artifact-media-type": "application/vnd.oci.image.config.v1+json",
    });
    assert_eq!(emitted(&mut world), [("ECR Image Action".to_owned(), expected)]);

    let described = call(&mut world, "DescribeImages", json!({ "repositoryName": "shop" }));
    let image = &described["imageDetails"][0];
    assert_eq!(image["imageTags"], json!(["v1"]));
    assert_eq!(image["imagePushedAt"], json!(1_767_225_600.0));
    assert_eq!(image["imageStatus"], "ACTIVE");
    assert_eq!(image["artifactMediaType"], "application/vnd.oci.image.config.v1+json");
    assert!(described.get("nextToken").is_none());
}

#[test]
fn an_index_push_rings_for_each_child_untagged_first_and_then_for_the_index_without_artifact_type() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["v1"], &multi_arch()).unwrap();
    let events = emitted(&mut world);
    let tags: Vec<_> = events.iter().map(|(_, detail)| detail["image-tag"].as_str().unwrap()).collect();
    // Two images, an attestation for each, and the index.
    assert_eq!(tags, ["", "", "", "", "v1"]);
    let index = &events[4].1;
    assert_eq!(index["image-digest"], digest.as_str());
    assert_eq!(index["manifest-media-type"], OCI_INDEX);
    assert!(index.get("artifact-media-type").is_none());

    let image = call(
        &mut world,
        "DescribeImages",
        json!({ "repositoryName": "shop", "filter": { "tagStatus": "TAGGED" } }),
    );
    assert_eq!(image["imageDetails"].as_array().unwrap().len(), 1);
    assert!(image["imageDetails"][0].get("artifactMediaType").is_none());
    let all = call(
        &mut world,
        "ListImages",
        json!({ "repositoryName": "shop", "filter": { "tagStatus": "UNTAGGED" } }),
    );
    assert_eq!(all["imageIds"].as_array().unwrap().len(), 4);
}

#[test]
fn a_push_that_changes_nothing_emits_again_only_where_told_to() {
    let mut world = world();
    push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    assert_eq!(emitted(&mut world).len(), 2);
    world.ecr.emit_on_same_push = false;
    push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    assert_eq!(emitted(&mut world).len(), 0);
    push_image(&mut world, "shop", &["v2"], &PushSpec::default()).unwrap();
    assert_eq!(emitted(&mut world).len(), 1, "a second tag of the same digest is a change");
}

#[test]
fn a_moved_tag_leaves_the_old_image_untagged() {
    let mut world = world();
    let old = push_image(&mut world, "shop", &["latest"], &PushSpec::default()).unwrap();
    let new = PushSpec { content: "2".into(), ..PushSpec::default() };
    let new = push_image(&mut world, "shop", &["latest"], &new).unwrap();
    let of = |digest: &str| json!({ "repositoryName": "shop", "imageIds": [{ "imageDigest": digest }] });
    let described = call(&mut world, "DescribeImages", of(&old));
    assert!(described["imageDetails"][0].get("imageTags").is_none());
    assert_eq!(
        call(&mut world, "DescribeImages", of(&new))["imageDetails"][0]["imageTags"],
        json!(["latest"])
    );
    let input =
        json!({ "repositoryName": "shop", "imageIds": [{ "imageDigest": old, "imageTag": "latest" }] });
    assert_eq!(code(&mut world, "DescribeImages", input), "ImageNotFoundException");
}

#[test]
fn an_immutable_tag_is_not_moved_through_either_door() {
    let mut world = world();
    let first = push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    let input = json!({
        "repositoryName": "shop", "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
        "imageTagMutabilityExclusionFilters": [{ "filterType": "WILDCARD", "filter": "dev-*" }],
    });
    call(&mut world, "PutImageTagMutability", input);
    let other = PushSpec { content: "2".into(), ..PushSpec::default() };
    let refused = push_image(&mut world, "shop", &["v1"], &other).unwrap_err();
    assert!(refused.contains("TAG_INVALID") && refused.contains("immutable"), "{refused}");

    let digest = push_image(&mut world, "shop", &["dev-1"], &other).unwrap();
    push_image(&mut world, "shop", &["dev-1"], &PushSpec::default()).expect("an excluded tag moves");
    let ids = json!({ "repositoryName": "shop", "imageIds": [{ "imageDigest": digest }] });
    let got = call(&mut world, "BatchGetImage", ids);
    let put = json!({ "repositoryName": "shop", "imageTag": "v1", "imageManifest": got["images"][0]["imageManifest"] });
    assert_eq!(code(&mut world, "PutImage", put), "ImageTagAlreadyExistsException");
    assert_eq!(world.ecr.repositories["shop"].tags["v1"], first);
}

#[test]
fn put_image_adds_a_tag_and_refuses_what_is_there() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    let got = call(
        &mut world,
        "BatchGetImage",
        json!({ "repositoryName": "shop", "imageIds": [{ "imageTag": "v1" }] }),
    );
    let put = |tag: &str| {
        json!({
            "repositoryName": "shop", "imageTag": tag, "imageManifest": got["images"][0]["imageManifest"],
        })
    };
    world.advance(world.now() + Duration::from_mins(1));
    assert_eq!(call(&mut world, "PutImage", put("v2"))["image"]["imageId"]["imageDigest"], digest.as_str());
    assert_eq!(code(&mut world, "PutImage", put("v2")), "ImageAlreadyExistsException");
    let described = call(&mut world, "DescribeImages", json!({ "repositoryName": "shop" }));
    assert_eq!(described["imageDetails"][0]["imageTags"], json!(["v1", "v2"]));
    assert_eq!(described["imageDetails"][0]["imagePushedAt"], json!(1_767_225_600.0));
}

#[test]
fn manifests_that_refer_to_what_is_not_there_are_refused() {
    let mut world = world();
    let absent = digest_of(b"absent");
    let image = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST,
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": absent, "size": 6 }, "layers": [],
    });
    let index =
        json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{ "digest": absent, "size": 6 }] });
    for manifest in [&image, &index] {
        let refused = send(&mut world, Method::PUT, "/v2/shop/manifests/v1", manifest.to_string());
        assert_eq!((refused.status().as_u16(), oci_code(&refused).as_str()), (404, "MANIFEST_BLOB_UNKNOWN"));
    }
    let put = |manifest: &Value| json!({ "repositoryName": "shop", "imageTag": "v1", "imageManifest": manifest.to_string() });
    assert_eq!(code(&mut world, "PutImage", put(&image)), "LayersNotFoundException");
    assert_eq!(code(&mut world, "PutImage", put(&index)), "ReferencedImagesNotFoundException");
    assert_eq!(emitted(&mut world), []);
}

#[test]
fn a_chunked_upload_must_go_on_where_it_ended_and_match_its_digest() {
    let mut world = world();
    let begun = send(&mut world, Method::POST, "/v2/shop/blobs/uploads/", "");
    assert_eq!(begun.status(), 202);
    let location = begun.headers()["location"].to_str().unwrap().to_owned();
    let chunk = |range: &str, body: &'static str| {
        Request::builder()
            .method("PATCH")
            .uri(&location)
            .header("content-range", range)
            .body(body.into())
            .unwrap()
    };
    assert_eq!(http(&mut world, &chunk("0-4", "hello")).headers()["range"], "0-4");
    assert_eq!(http(&mut world, &chunk("3-7", "world")).status(), 416);
    assert_eq!(http(&mut world, &chunk("5-9", "world")).headers()["range"], "0-9");
    let digest = digest_of(b"helloworld!");
    let done = send(&mut world, Method::PUT, &format!("{location}?digest={digest}"), "!");
    assert_eq!(done.status(), 201);
    let blob = send(&mut world, Method::GET, &format!("/v2/shop/blobs/{digest}"), "");
    assert_eq!(&blob.body()[..], b"helloworld!");

    let wrong = send(&mut world, Method::POST, &format!("/v2/shop/blobs/uploads/?digest={digest}"), "other");
    assert_eq!((wrong.status().as_u16(), oci_code(&wrong).as_str()), (400, "DIGEST_INVALID"));
}

#[test]
fn a_blob_is_mounted_from_a_repository_that_has_it_and_only_then() {
    let mut world = world();
    ensure_repository(&mut world, "other");
    let digest = digest_of(b"blob");
    send(&mut world, Method::POST, &format!("/v2/other/blobs/uploads/?digest={digest}"), "blob");
    let path = format!("/v2/shop/blobs/{digest}");
    assert_eq!(
        send(&mut world, Method::HEAD, &path, "").status(),
        404,
        "repositories do not share blobs by themselves"
    );
    let mount = |from: &str| format!("/v2/shop/blobs/uploads/?mount={digest}&from={from}");
    assert_eq!(send(&mut world, Method::POST, &mount("nowhere"), "").status(), 202);
    assert_eq!(send(&mut world, Method::POST, &mount("other"), "").status(), 201);
    assert_eq!(send(&mut world, Method::HEAD, &path, "").headers()["content-length"], "4");
}

#[test]
fn a_push_into_an_unknown_repository_creates_it_only_where_told_to() {
    let mut world = world();
    let refused = push_image(&mut world, "team/new", &["v1"], &PushSpec::default()).unwrap_err();
    assert!(refused.contains("NAME_UNKNOWN"), "{refused}");
    world.ecr.create_on_push = true;
    push_image(&mut world, "team/new", &["v1"], &PushSpec::default()).unwrap();
    call(&mut world, "DescribeRepositories", json!({ "repositoryNames": ["team/new"] }));
}

#[test]
fn a_signature_is_announced_as_a_referrer_and_listed_for_its_subject() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    emitted(&mut world);
    let config = digest_of(b"{}");
    send(&mut world, Method::POST, &format!("/v2/shop/blobs/uploads/?digest={config}"), "{}");
    let signature = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": "application/vnd.example.signature",
        "config": { "mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2 }, "layers": [],
        "subject": { "mediaType": OCI_MANIFEST, "digest": digest, "size": 1 },
    })
    .to_string();
    let path = format!("/v2/shop/manifests/{}", digest_of(signature.as_bytes()));
    let put = send(&mut world, Method::PUT, &path, signature);
    assert_eq!(put.headers()["oci-subject"], digest.as_str());
    let events = emitted(&mut world);
    assert_eq!(events[0].0, "ECR Referrer Action");
    assert_eq!(events[0].1["artifact-media-type"], "application/vnd.example.signature");

    let listed = send(&mut world, Method::GET, &format!("/v2/shop/referrers/{digest}"), "");
    let listed: Value = serde_json::from_slice(listed.body()).unwrap();
    assert_eq!(listed["manifests"][0]["artifactType"], "application/vnd.example.signature");
}

#[test]
fn a_download_link_serves_the_config_until_it_expires() {
    let mut world = world();
    push_image(&mut world, "shop", &["v1"], &PushSpec::labelled([("sim.body", "hi")])).unwrap();
    let got = call(
        &mut world,
        "BatchGetImage",
        json!({ "repositoryName": "shop", "imageIds": [{ "imageTag": "v1" }] }),
    );
    let manifest: Value = serde_json::from_str(got["images"][0]["imageManifest"].as_str().unwrap()).unwrap();
    let input = json!({ "repositoryName": "shop", "layerDigest": manifest["config"]["digest"] });
    let link = call(&mut world, "GetDownloadUrlForLayer", input);
    let link = link["downloadUrl"].as_str().unwrap();
    let config = send(&mut world, Method::GET, link, "");
    let config: Value = serde_json::from_slice(config.body()).unwrap();
    assert_eq!(config["config"]["Labels"]["sim.body"], "hi");

    let forged = link.replacen("/_layers/", "/_layers/0", 1);
    assert_eq!(send(&mut world, Method::GET, &forged, "").status(), 403);
    world.advance(world.now() + Duration::from_hours(1));
    assert_eq!(send(&mut world, Method::GET, link, "").status(), 403);
    let absent = json!({ "repositoryName": "shop", "layerDigest": digest_of(b"absent") });
    assert_eq!(code(&mut world, "GetDownloadUrlForLayer", absent), "LayersNotFoundException");
}

#[test]
fn batch_get_image_says_what_it_did_not_find() {
    let mut world = world();
    push_image(&mut world, "shop", &["v1"], &multi_arch()).unwrap();
    let ids = json!([{ "imageTag": "v1" }, { "imageTag": "v9" }, { "imageDigest": "sha256:short" }, {}]);
    let got = call(&mut world, "BatchGetImage", json!({ "repositoryName": "shop", "imageIds": ids }));
    assert_eq!(got["images"][0]["imageManifestMediaType"], OCI_INDEX);
    let codes: Vec<_> =
        got["failures"].as_array().unwrap().iter().map(|f| f["failureCode"].clone()).collect();
    assert_eq!(codes, ["ImageNotFound", "InvalidImageDigest", "MissingDigestAndTag"]);
    assert_eq!(
        code(&mut world, "BatchGetImage", json!({ "repositoryName": "shop" })),
        "InvalidParameterException"
    );
    let unknown = json!({ "repositoryName": "nope", "imageIds": [{ "imageTag": "v1" }] });
    assert_eq!(code(&mut world, "BatchGetImage", unknown), "RepositoryNotFoundException");
}

#[test]
fn an_image_goes_with_its_last_tag_and_its_children_cannot_go_before_the_index() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["v1", "v2"], &multi_arch()).unwrap();
    let child = world.ecr.repositories["shop"].images[&digest].manifest.children[0].digest.clone();
    emitted(&mut world);
    let delete = |world: &mut World, id: Value| {
        call(world, "BatchDeleteImage", json!({ "repositoryName": "shop", "imageIds": [id] }))
    };
    let refused = delete(&mut world, json!({ "imageDigest": child }));
    assert_eq!(refused["failures"][0]["failureCode"], "ImageReferencedByManifestList");
    delete(&mut world, json!({ "imageTag": "v1" }));
    assert!(world.ecr.repositories["shop"].images.contains_key(&digest));
    delete(&mut world, json!({ "imageTag": "v2" }));
    assert!(!world.ecr.repositories["shop"].images.contains_key(&digest));
    assert!(delete(&mut world, json!({ "imageDigest": child }))["failures"].as_array().unwrap().is_empty());
    let events = emitted(&mut world);
    let tags: Vec<_> =
        events.iter().map(|(_, detail)| (&detail["action-type"], &detail["image-tag"])).collect();
    let delete = json!("DELETE");
    assert_eq!(tags, [(&delete, &json!("v1")), (&delete, &json!("v2")), (&delete, &json!(""))]);
}

#[test]
fn a_pull_finds_the_instances_manifest_and_never_the_attestation() {
    let mut world = world();
    let spec = PushSpec { architectures: vec!["arm64".into()], ..multi_arch() };
    let digest = push_image(&mut world, "shop", &["v1"], &spec).unwrap();
    let pulled = pull(&world, &format!("{SHOP}:v1"), "arm64").unwrap();
    assert_eq!((pulled.digest.as_str(), pulled.architecture.as_str()), (digest.as_str(), "arm64"));
    assert_eq!(pulled.tags, ["v1"]);
    let error = pull(&world, &format!("{SHOP}@{digest}"), "amd64").unwrap_err();
    assert!(error.contains("no match for platform in manifest"), "{error}");
}

#[test]
fn a_pull_says_in_dockers_words_what_is_missing() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["latest"], &PushSpec::default()).unwrap();
    assert_eq!(pull(&world, SHOP, "amd64").unwrap().digest, digest, "the default tag");
    assert_eq!(pull(&world, SHOP, "arm64").unwrap().architecture, "amd64", "docker pulls it all the same");
    let error = |image: &str| pull(&world, image, "amd64").unwrap_err();
    assert!(error(&format!("{SHOP}:v9")).ends_with(":v9: not found"));
    assert!(error(&format!("{SHOP}x:v1")).contains("name unknown"));
    assert!(error("nginx:latest").contains("pull access denied"));

    let archive = json!({ "repositoryName": "shop", "imageId": { "imageTag": "latest" }, "targetStorageClass": "ARCHIVE" });
    call(&mut world, "UpdateImageStorageClass", archive);
    assert!(pull(&world, SHOP, "amd64").unwrap_err().contains("archived"));
    let got = call(
        &mut world,
        "BatchGetImage",
        json!({ "repositoryName": "shop", "imageIds": [{ "imageTag": "latest" }] }),
    );
    assert_eq!(got["failures"][0]["failureCode"], "ImageInaccessible");
}

#[test]
fn repositories_are_created_once_and_kept_while_they_hold_images() {
    let mut world = world();
    let name = json!({ "repositoryName": "shop" });
    assert_eq!(code(&mut world, "CreateRepository", name.clone()), "RepositoryAlreadyExistsException");
    let created = call(
        &mut world,
        "CreateRepository",
        json!({ "repositoryName": "a/b", "tags": [{ "Key": "k", "Value": "v" }] }),
    );
    let arn = &created["repository"]["repositoryArn"];
    assert_eq!(arn, "arn:aws:ecr:eu-central-1:123456789012:repository/a/b");
    assert_eq!(
        call(&mut world, "ListTagsForResource", json!({ "resourceArn": arn }))["tags"][0]["Value"],
        "v"
    );
    for bad in ["Shop", "a//b", "-a", "a..b", "x"] {
        assert_eq!(
            code(&mut world, "CreateRepository", json!({ "repositoryName": bad })),
            "InvalidParameterException",
            "{bad}"
        );
    }
    push_image(&mut world, "shop", &["v1"], &PushSpec::default()).unwrap();
    assert_eq!(code(&mut world, "DeleteRepository", name), "RepositoryNotEmptyException");
    call(&mut world, "DeleteRepository", json!({ "repositoryName": "shop", "force": true }));
    assert!(world.ecr.blobs.is_empty());
}

#[test]
fn describe_images_pages_and_scan_findings_are_not_there() {
    let mut world = world();
    for content in ["1", "2", "3"] {
        let spec = PushSpec { content: content.into(), ..PushSpec::default() };
        push_image(&mut world, "shop", &[&format!("v{content}")], &spec).unwrap();
    }
    let first = call(&mut world, "DescribeImages", json!({ "repositoryName": "shop", "maxResults": 2 }));
    assert_eq!(first["imageDetails"].as_array().unwrap().len(), 2);
    let token = &first["nextToken"];
    let second = call(
        &mut world,
        "DescribeImages",
        json!({ "repositoryName": "shop", "maxResults": 2, "nextToken": token }),
    );
    assert_eq!(second["imageDetails"].as_array().unwrap().len(), 1);
    assert!(second.get("nextToken").is_none());
    let too_many = json!({ "repositoryName": "shop", "maxResults": 1001 });
    assert_eq!(code(&mut world, "DescribeImages", too_many), "InvalidParameterException");
    let scan = json!({ "repositoryName": "shop", "imageId": { "imageTag": "v1" } });
    assert_eq!(code(&mut world, "DescribeImageScanFindings", scan), "ScanNotFoundException");
}

mod scans;

#[test]
fn the_registry_comes_back_from_disk_as_it_was() {
    let mut world = world();
    let digest = push_image(&mut world, "shop", &["v1"], &multi_arch()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    world.ecr.save(dir.path()).unwrap();
    let before = pull(&world, &format!("{SHOP}:v1"), "arm64").unwrap();
    world.ecr = Ecr::load(dir.path()).unwrap();
    assert_eq!(pull(&world, &format!("{SHOP}@{digest}"), "arm64").unwrap(), before);

    let blob = std::fs::read_dir(dir.path().join("blobs")).unwrap().next().unwrap().unwrap();
    std::fs::write(blob.path(), "damaged").unwrap();
    assert!(Ecr::load(dir.path()).unwrap_err().to_string().contains("damaged"));
}
