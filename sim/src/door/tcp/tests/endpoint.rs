use super::*;

#[tokio::test]
async fn every_protocol_on_one_port() {
    let local = local(vec![]).await;
    let url = local.endpoint();
    let signed = "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/eu-central-1/sts/aws4_request, SignedHeaders=host, Signature=0";
    let request = Request::post(format!("{url}/"))
        .header("authorization", signed)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from("Action=GetCallerIdentity&Version=2011-06-15"))
        .unwrap();
    let (parts, body) = exchange(request).await;
    assert_eq!(parts.status, 200);
    assert!(String::from_utf8_lossy(&body).contains("<Account>123456789012</Account>"), "{body:?}");

    let request = Request::post(format!("{url}/"))
        .header("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.DescribeRepositories")
        .body(Full::from("{}"))
        .unwrap();
    let (parts, body) = exchange(request).await;
    assert_eq!((parts.status.as_u16(), &body[..]), (200, &br#"{"repositories":[]}"#[..]));

    let (parts, _) = get(&format!("{url}/v2/")).await;
    assert_eq!(parts.status, 200);
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_blob_comes_in_by_chunks_and_out_again() {
    let local = local(vec![]).await;
    local.with(|world| world.ecr.create_on_push = true);
    let url = local.endpoint();
    let (parts, _) =
        exchange(Request::post(format!("{url}/v2/shop/blobs/uploads/")).body(Full::default()).unwrap()).await;
    assert_eq!(parts.status, 202);
    let place = parts.headers["location"].to_str().unwrap();
    let place = if place.starts_with('/') { format!("{url}{place}") } else { place.to_owned() };
    let blob = vec![7_u8; 3 << 20];
    let digest = format!("sha256:{}", sha256(&blob));
    let joint = if place.contains('?') { '&' } else { '?' };
    let put = Request::put(format!("{place}{joint}digest={digest}"))
        .header("expect", "100-continue")
        .body(Full::from(blob.clone()))
        .unwrap();
    assert_eq!(exchange(put).await.0.status, 201);
    let (_, back) = get(&format!("{url}/v2/shop/blobs/{digest}")).await;
    assert!(back[..] == blob[..], "the same bytes come back");
    local.shutdown().await.unwrap();
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;

    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[tokio::test]
async fn time_goes_on_by_itself() {
    let local = local(vec![]).await;
    let before = local.with(|world| world.now());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let (_, body) = get(&format!("{}/_windlass/health", local.endpoint())).await;
    let health: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(health["speed"], 50.0);
    let gone = local.world().lock().unwrap().now().since(before);
    assert!(gone >= Duration::from_secs(7), "50 times 0.2 s, less a tick of the driver: {gone:?}");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let first = local(vec![]).await;
    let port = first.registry().rsplit(':').next().unwrap().parse().unwrap();
    let again = Local::start(LocalConfig { port, ..LocalConfig::default() }).await;
    let error = format!("{:#}", again.err().unwrap());
    assert!(error.contains(&format!("binding 127.0.0.1:{port}: choose another port")), "{error}");
    first.shutdown().await.unwrap();
}

#[tokio::test]
async fn time_does_not_leap_after_a_stall() {
    let local = local(vec![]).await;
    let before = {
        let world = local.world();
        let world = world.lock().unwrap();
        std::thread::sleep(Duration::from_millis(600)); // thirty virtual seconds
        world.now()
    };
    let leap = local.with(|world| world.now()).since(before);
    assert!(leap < Duration::from_secs(15), "{leap:?}");
    tokio::time::sleep(Duration::from_millis(600)).await;
    let behind = local.clock().now().since(local.with(|world| world.now()));
    assert!(behind < Duration::from_secs(10), "caught up but for a slice: {behind:?}");
    local.shutdown().await.unwrap();
}
