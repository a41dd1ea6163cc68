use super::*;

/// Not a test: the process that the tests below start as a Lambda function.
#[tokio::test]
#[ignore = "runs as a function's process, started by the other tests"]
async fn fake_function() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    eprintln!("starting {}", std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap());
    assert!(std::env::var_os("FAKE_BROKEN").is_none(), "cannot start");
    loop {
        let (parts, body) = get(&format!("http://{api}/2018-06-01/runtime/invocation/next")).await;
        let id = parts.headers["lambda-runtime-aws-request-id"].to_str().unwrap();
        let event: Value = serde_json::from_slice(&body).unwrap();
        let (kind, answer) = match event["do"].as_str() {
            Some("crash") => panic!("crashed on purpose"),
            Some("hang") => std::future::pending().await,
            Some("fail") => ("error", json!({ "errorType": "Oops", "errorMessage": "as told" })),
            Some("wait") => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                ("response", json!({ "pid": std::process::id() }))
            }
            _ => ("response", context(&parts.headers, &event)),
        };
        let url = format!("http://{api}/2018-06-01/runtime/invocation/{id}/{kind}");
        let answer = Request::post(url).body(Full::from(answer.to_string())).unwrap();
        assert_eq!(exchange(answer).await.0.status, 202);
    }
}

fn context(headers: &http::HeaderMap, event: &Value) -> Value {
    json!({
        "event": event,
        "deadline": headers["lambda-runtime-deadline-ms"].to_str().unwrap(),
        "arn": headers["lambda-runtime-invoked-function-arn"].to_str().unwrap(),
        "endpoint": std::env::var("AWS_ENDPOINT_URL").unwrap(),
        "key": std::env::var("AWS_ACCESS_KEY_ID").unwrap(),
        "clock": std::env::var("WINDLASS_CLOCK").unwrap(),
        "balancer": std::env::var("WINDLASS_ALB_ENDPOINT").unwrap(),
        "given": std::env::var("GIVEN").unwrap_or_default(),
    })
}

const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn a_function_answers_and_knows_where_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = fake(dir.path(), "echo");
    process.env.insert("GIVEN".into(), "yes".into());
    let local = local(vec![process]).await;
    let Ended::Ok(said) = invoke(&local, "id-1", json!({ "a": 1 }), MINUTE).await else { panic!() };
    assert_eq!(said["event"], json!({ "a": 1 }));
    assert_eq!(said["given"], "yes");
    assert_eq!(said["endpoint"], local.endpoint());
    assert_eq!(said["key"], crate::lambda::access_key("echo"));
    assert_eq!(said["arn"], "arn:aws:lambda:eu-central-1:123456789012:function:echo");
    assert_eq!(said["clock"], local.clock().env());
    assert_eq!(said["balancer"], local.alb_url());
    // A minute of the process's time is fifty of the virtual clock's.
    let deadline: u64 = said["deadline"].as_str().unwrap().parse().unwrap();
    let left = Duration::from_millis(deadline - local.clock().now().0);
    assert!(left > MINUTE * 40 && left <= MINUTE * 50, "{left:?}");
    assert!(local.function_log("echo").contains(&"starting echo".to_owned()));
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_error_a_crash_and_a_kill_each_end_their_own_invocation() {
    let dir = tempfile::tempdir().unwrap();
    let local = local(vec![fake(dir.path(), "echo")]).await;
    let Ended::Error(words) = invoke(&local, "id-1", json!({ "do": "fail" }), MINUTE).await else { panic!() };
    assert!(words.contains("as told"), "{words}");

    let Ended::Error(words) = invoke(&local, "id-2", json!({ "do": "crash" }), MINUTE).await else {
        panic!()
    };
    assert!(words.starts_with("Runtime exited with error: exit status: 101"), "{words}");
    assert!(words.contains("crashed on purpose"), "{words}");

    let hanging = invocation(&local, "id-3", json!({ "do": "hang" }), MINUTE);
    let ended = local.with(|world| local.hub.functions.invoke(world, hanging)).unwrap();
    let pid = loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if let Some(pid) = local.function_pids("echo").first() {
            break *pid;
        }
    };
    tokio::time::sleep(Duration::from_millis(500)).await; // it may still be starting
    assert!(local.kill_function("echo", pid));
    let Ok(Ended::Error(words)) = ended.await else { panic!() };
    assert!(words.contains("signal: killed"), "{words}");
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the process is gone");

    let after = invoke(&local, "id-4", json!({}), MINUTE).await;
    assert!(matches!(after, Ended::Ok(_)), "a new process serves: {after:?}");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_function_past_its_time_limit_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let local = local(vec![fake(dir.path(), "echo")]).await;
    let Ended::Error(words) = invoke(&local, "id-1", json!({ "do": "hang" }), Duration::from_secs(1)).await
    else {
        panic!()
    };
    assert!(words.starts_with("Task timed out after "), "{words}");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_cannot_start_fails_its_invocations_with_its_last_words() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = fake(dir.path(), "echo");
    process.env.insert("FAKE_BROKEN".into(), "1".into());
    let local = local(vec![process]).await;
    let Ended::Error(words) = invoke(&local, "id-1", json!({}), MINUTE).await else { panic!() };
    assert!(words.contains("cannot start"), "{words}");
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn instances_are_added_up_to_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    let local = local(vec![fake(dir.path(), "echo")]).await;
    let ids = ["a", "b", "c", "d"];
    let all = ids.map(|id| invoke(&local, id, json!({ "do": "wait" }), MINUTE));
    let mut pids = std::collections::BTreeSet::new();
    for ended in futures_join(all).await {
        let Ended::Ok(said) = ended else { panic!("{ended:?}") };
        pids.insert(said["pid"].as_u64().unwrap());
    }
    assert_eq!(pids.len(), 2, "two at most, and both at work");
    local.shutdown().await.unwrap();
}

async fn futures_join<const N: usize>(all: [impl Future<Output = Ended>; N]) -> Vec<Ended> {
    let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
    let mut ended = Vec::new();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(done) => {
                ended.push(done);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    ended
}

#[tokio::test]
async fn shutdown_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let local = local(vec![fake(dir.path(), "echo")]).await;
    assert!(matches!(invoke(&local, "id-1", json!({}), MINUTE).await, Ended::Ok(_)));
    let pids = local.function_pids("echo");
    assert_eq!(pids.len(), 1);
    local.shutdown().await.unwrap();
    assert!(!Path::new(&format!("/proc/{}", pids[0])).exists());
}

#[tokio::test]
async fn a_missing_binary_is_said_at_once() {
    let process = FunctionProcess::new("deploy", "/nowhere/deploy");
    let config = LocalConfig { port: 0, alb_port: 0, functions: vec![process], ..LocalConfig::default() };
    let error = Local::start(config).await.err().unwrap();
    assert_eq!(error.to_string(), "function deploy: /nowhere/deploy is not a file: build it first");
}

#[tokio::test]
async fn invoke_waits_for_the_answer_or_hands_over() {
    let dir = tempfile::tempdir().unwrap();
    let local = local(vec![fake(dir.path(), "echo")]).await;
    local.with(|world| crate::lambda::install(world, crate::lambda::Function::named("echo")));
    let url = format!("{}/2015-03-31/functions/echo/invocations", local.endpoint());
    let invoke = |kind: &'static str, body: &'static str| {
        let request = Request::post(url.as_str()).header("x-amz-invocation-type", kind);
        exchange(request.body(Full::from(body)).unwrap())
    };
    let (parts, body) = invoke("RequestResponse", r#"{"a":2}"#).await;
    assert_eq!(parts.status, 200);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["event"], json!({ "a": 2 }));

    let (parts, body) = invoke("RequestResponse", r#"{"do":"fail"}"#).await;
    assert_eq!(
        (parts.status.as_u16(), &parts.headers["x-amz-function-error"]),
        (200, &"Unhandled".parse().unwrap())
    );
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["errorMessage"], "as told");

    assert_eq!(invoke("Event", r#"{"a":3}"#).await.0.status, 202);
    let ended = loop {
        if let Some(record) = local.with(|world| world.lambda.log.front().cloned()) {
            break record.ended;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(matches!(&ended, Ended::Ok(said) if said["event"] == json!({ "a": 3 })), "{ended:?}");
    local.shutdown().await.unwrap();
}

/// Not a test: the process that the test below ends by SIGTERM.
#[tokio::test]
#[ignore = "runs as a process of its own, started by another test"]
async fn local_until_told() {
    let dir = tempfile::tempdir().unwrap();
    let local = local(vec![fake(dir.path(), "echo")]).await;
    let ended = tokio::spawn(crate::door::tcp::told_to_end());
    while local.function_pids("echo").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    eprintln!("pid {}", local.function_pids("echo")[0]);
    ended.await.unwrap().unwrap();
    local.shutdown().await.unwrap();
}

#[tokio::test]
async fn sigterm_ends_it_and_its_functions() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let name = "door::tcp::tests::functions::local_until_told";
    let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture"])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let function = loop {
        let line = lines.next_line().await.unwrap().expect("it says its function's pid");
        if let Some(pid) = line.strip_prefix("pid ") {
            break pid.to_owned();
        }
    };
    let mut kill = tokio::process::Command::new("kill");
    kill.args(["-TERM", &child.id().unwrap().to_string()]);
    assert!(kill.status().await.unwrap().success());
    let status = tokio::time::timeout(Duration::from_secs(10), child.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
    assert!(!Path::new("/proc").join(function).exists(), "its function has ended too");
}
