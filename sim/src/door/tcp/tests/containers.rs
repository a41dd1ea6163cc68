use super::*;

fn quick() -> Behaviour {
    Behaviour { start_secs: 0.0, latency_ms: 0, ..Behaviour::default() }
}

fn start(local: &Local, container: RunningContainer) {
    local.with(|world| world.effects.push_back(Effect::StartContainer(container)));
}

#[tokio::test]
async fn a_container_says_who_it_is() {
    let local = local(vec![]).await;
    start(&local, container(&local, 32_768, Behaviour { status: 418, body: "tea".into(), ..quick() }));
    let address = local.hub.containers.address("i-1", 32_768).unwrap();
    let (parts, body) = get(&format!("http://{address}/pot?x=1")).await;
    assert_eq!(parts.status, 418);
    assert_eq!(parts.headers["x-task"], "task/1");
    let said: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        said,
        json!({
            "service": "shop", "digest": "sha256:aa", "tags": ["1"], "task": "task/1",
            "instance": "i-1", "path": "/pot", "body": "tea",
        })
    );
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn it_is_silent_until_it_has_started_and_after_it_has_stopped() {
    let local = local(vec![]).await;
    // 15 virtual seconds at speed 50: 0.3 s.
    start(&local, container(&local, 32_768, Behaviour { start_secs: 15.0, ..quick() }));
    let url = format!("http://{}/", local.hub.containers.address("i-1", 32_768).unwrap());
    let request = || Request::get(url.as_str()).body(Full::<Bytes>::default()).unwrap();
    assert!(client().request(request()).await.is_err(), "not started yet");
    while client().request(request()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    local.with(|world| {
        world.effects.push_back(Effect::SignalContainer { task_arn: "task/1".into() });
    });
    assert!(client().request(request()).await.is_ok(), "SIGTERM alone does not silence it");
    local.with(|world| world.effects.push_back(Effect::StopContainer { task_arn: "task/1".into() }));
    assert_eq!(local.hub.containers.address("i-1", 32_768), None);
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stop_cuts_what_is_open() {
    let local = local(vec![]).await;
    start(&local, container(&local, 32_768, Behaviour { latency_ms: 60_000, ..quick() }));
    let url = format!("http://{}/", local.hub.containers.address("i-1", 32_768).unwrap());
    let request = Request::get(url).body(Full::<Bytes>::default()).unwrap();
    let open = tokio::spawn(client().request(request));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!open.is_finished());
    local.with(|world| world.effects.push_back(Effect::StopContainer { task_arn: "task/1".into() }));
    let ended = tokio::time::timeout(Duration::from_secs(5), open).await.unwrap().unwrap();
    assert!(ended.is_err(), "the connection is cut, not answered");
    local.shutdown().await.unwrap();
}
