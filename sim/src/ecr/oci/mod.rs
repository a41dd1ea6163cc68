//! The OCI distribution protocol (v1.1) as ECR speaks it: what `docker push`, skopeo,
//! crane and buildx use. A pure function of the world and a request; any credentials are
//! accepted and none are asked for.

mod blobs;
mod manifests;
mod reply;

use bytes::Bytes;
use http::{Method, Request, Response};

use super::{layers, repositories};
use crate::world::World;
use reply::{Failure, json_reply, reply};

type Outcome = Result<Response<Bytes>, Failure>;

/// Answers one request to the registry: everything below `/v2/`, and the blobs behind
/// `GetDownloadUrlForLayer`'s links below `/_layers/`. The host says whose registry it is; one that is no
/// other account's is the world's own.
pub fn http(world: &mut World, request: &Request<Bytes>) -> Response<Bytes> {
    let account = request.uri().host().and_then(|host| world.accounts.of_host(host)).map(str::to_owned);
    let account = account.unwrap_or_else(|| world.config.account.clone());
    let answered = world.in_account(&account, |world| route(world, request));
    answered.unwrap_or_else(|| Err(Failure::not_found(request))).unwrap_or_else(Failure::into_response)
}

fn route(world: &mut World, request: &Request<Bytes>) -> Outcome {
    let path = percent_encoding::percent_decode_str(request.uri().path()).decode_utf8_lossy().into_owned();
    if let Some(token) = path.strip_prefix("/_layers/") {
        let blob = layers::open_link(world, token)
            .ok_or_else(|| Failure::new(403, "DENIED", "this link has expired"))?;
        return Ok(reply(200, &[("content-type", "application/octet-stream")], blob));
    }
    let rest = path.strip_prefix("/v2").ok_or_else(|| Failure::not_found(request))?;
    let parts: Vec<&str> = rest.split('/').skip(1).collect();
    match (request.method().as_str(), parts.as_slice()) {
        ("GET" | "HEAD", [] | [""]) => Ok(reply(200, &[("content-type", "application/json")], "{}".into())),
        ("GET", ["_catalog"]) => Ok(catalog(world)),
        ("GET", [name @ .., "tags", "list"]) => manifests::tags(world, &known(world, name)?, request.uri()),
        ("GET", [name @ .., "referrers", digest]) => {
            manifests::referrers(world, &known(world, name)?, digest, request.uri())
        }
        (_, [name @ .., "manifests", reference]) => manifest(world, &name.join("/"), reference, request),
        (_, [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""]) => {
            let name = pushable(world, name, request)?;
            blobs::begin(world, &name, request)
        }
        (_, [name @ .., "blobs", "uploads", id]) => blobs::upload(world, &known(world, name)?, id, request),
        ("GET" | "HEAD", [name @ .., "blobs", digest]) => blobs::get(world, &known(world, name)?, digest),
        _ => Err(Failure::not_found(request)),
    }
}

fn manifest(world: &mut World, name: &str, reference: &str, request: &Request<Bytes>) -> Outcome {
    let name = [name];
    match *request.method() {
        Method::GET | Method::HEAD => manifests::get(world, &known(world, &name)?, reference),
        Method::PUT => {
            let name = pushable(world, &name, request)?;
            manifests::put(world, &name, reference, request)
        }
        Method::DELETE => manifests::delete(world, &known(world, &name)?, reference),
        _ => Err(Failure::new(405, "UNSUPPORTED", "The operation is unsupported")),
    }
}

/// The repository's name, if there is such a repository.
fn known(world: &World, name: &[&str]) -> Result<String, Failure> {
    let name = name.join("/");
    if world.ecr.repositories.contains_key(&name) { Ok(name) } else { Err(unknown(world, &name)) }
}

/// The same, but a push may create it where the registry is told to.
fn pushable(world: &mut World, name: &[&str], request: &Request<Bytes>) -> Result<String, Failure> {
    let name = name.join("/");
    if !matches!(*request.method(), Method::POST | Method::PUT) {
        return Err(Failure::new(405, "UNSUPPORTED", "The operation is unsupported"));
    }
    if !world.ecr.repositories.contains_key(&name) {
        if !world.ecr.create_on_push {
            return Err(unknown(world, &name));
        }
        if !repositories::is_name(&name) {
            return Err(Failure::new(400, "NAME_INVALID", format!("invalid repository name {name}")));
        }
        let made = super::store::Repository::new(&name, world.now());
        world.ecr.repositories.insert(name.clone(), made);
    }
    Ok(name)
}

fn unknown(world: &World, name: &str) -> Failure {
    let account = &world.config.account;
    Failure::new(
        404,
        "NAME_UNKNOWN",
        format!("The repository with name '{name}' does not exist in the registry with id '{account}'"),
    )
}

fn catalog(world: &World) -> Response<Bytes> {
    let names: Vec<_> = world.ecr.repositories.keys().collect();
    json_reply(200, &[], &serde_json::json!({ "repositories": names }))
}

/// Whether this is a tag by the distribution specification.
pub(super) fn is_tag(tag: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (1..=128).contains(&tag.len())
        && tag.starts_with(word)
        && tag.chars().all(|c| word(c) || c == '.' || c == '-')
}

/// A query's parameter, decoded.
fn query(uri: &http::Uri, name: &str) -> Option<String> {
    let pairs = uri.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(key, _)| *key == name)?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8_lossy().into_owned())
}
