//! The account's commands against `windlass local`: what they print, and how they end.
//! Ports, digests and times are replaced, so that the words can be compared.

mod common;
#[path = "common/local.rs"]
mod local;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use local::Local;
use serde_json::{Value, json};

const SPEC: &str = "cluster: main\nservice: shop\nimage: {repository: shop, policy: {semver: \"1.x\"}}\n";

#[test]
fn a_person_asks_and_acts() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let mut told = String::new();
    told += &local.run(&["status"], "");
    told += &local.run(&["apply", "-"], SPEC);
    told += &local.run(&["apply", "-"], SPEC);
    told += &local.run(&["apply", "-"], "service: shop\nimage: {}\n");
    told += &local.run(&["plan", "shop"], "");
    told += &local.run(&["plan", "--check", "main/shop"], "");
    told += &local.run(&["hold", "shop", "--reason", "launch day"], "");
    told += &local.run(&["status"], "");
    told += &local.run(&["resume", "shop"], "");
    told += &local.run(&["resume", "shop"], "");
    told += &local.run(&["release", "shop", "abc"], "");
    told += &local.run(&["ring", "shop"], "");
    told += &local.run(&["history", "shop"], "");
    told += &local.run(&["status", "a/b/c"], "");
    insta::assert_snapshot!(told);
    assert_eq!(local.end(), 0, "SIGTERM is a clean end");

    let again = Local::start(dir.path());
    let status = again.run(&["--json", "status"], "");
    assert!(status.contains("\"service\": \"main/shop\""), "it came back as it was: {status}");
    assert_eq!(again.end(), 0);
}

/// Two files want the same requests, or a file wants those of a spec that is there.
#[test]
fn a_conflict_is_refused_at_apply_naming_both() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let spec = |service: &str, paths: &str| {
        format!(
            "cluster: main\nservice: {service}\nimage: {{repository: {service}}}\n\
             task: {{cpu: 128, memory: 256, port: 80}}\nroute: {{paths: {paths}}}\n"
        )
    };
    let mut told = local.run(&["apply", "-"], &spec("shop", "[/shop*, /cart*]"));
    told += &local.run(&["apply", "-"], &spec("cart", "[/cart*]"));
    told += &local.run(&["apply", "-"], &spec("shop", "[/shop*]"));
    told += &local.run(&["apply", "-"], &spec("cart", "[/cart*]"));
    insta::assert_snapshot!(told);
    assert_eq!(local.end(), 0);
}

/// Each of these waits for the other: nothing in the circle would ever be rolled out again.
#[test]
fn a_circle_of_after_is_refused_at_apply_naming_it() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(dir.path());
    let spec = |service: &str, after: &str| {
        format!("cluster: main\nservice: {service}\nimage: {{repository: shop}}\n{after}")
    };
    let mut told = local.run(&["apply", "-"], &spec("shop", "after: {service: main/cart}\n"));
    told += &local.run(&["apply", "-"], &spec("cart", "after: {service: main/staging}\n"));
    told += &local.run(&["apply", "-"], &spec("staging", "after: {service: main/shop}\n"));
    told += "a circle of one:\n";
    told += &local.run(&["apply", "-"], &spec("blog", "after: {service: main/blog}\n"));
    told += "and without it:\n";
    told += &local.run(&["apply", "-"], &spec("staging", ""));
    insta::assert_snapshot!(told, @"
    $ windlass apply -
    main/shop: created (/windlass/services/main/shop, version 1)
    (exit 0)
    $ windlass apply -
    main/cart: created (/windlass/services/main/cart, version 1)
    (exit 0)
    $ windlass apply -
    stdin: refused, and nothing was written
      the specs follow one another in a circle: main/staging → main/shop → main/cart → main/staging; take `after` out of one of them
    (exit 1)
    a circle of one:
    $ windlass apply -
    stdin: refused, and nothing was written
      the specs follow one another in a circle: main/blog → main/blog; take `after` out of one of them
    (exit 1)
    and without it:
    $ windlass apply -
    main/staging: created (/windlass/services/main/staging, version 1)
    (exit 0)
    ");
    assert_eq!(local.end(), 0);
}

/// Two files at once are a circle as well, and neither is written.
#[test]
fn a_circle_within_the_same_apply_writes_neither_file() {
    let dir = tempfile::tempdir().unwrap();
    let local = Local::start(&dir.path().join("state"));
    let file = |service: &str, after: &str| {
        let path = dir.path().join(format!("{service}.yaml"));
        let spec = format!(
            "cluster: main\nservice: {service}\nimage: {{repository: shop}}\nafter: {{service: main/{after}}}\n"
        );
        std::fs::write(&path, spec).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (shop, cart) = (file("shop", "cart"), file("cart", "shop"));
    let told = local.run(&["apply", &shop, &cart], "");
    assert!(told.contains("main/shop → main/cart → main/shop") && told.ends_with("(exit 1)\n"), "{told}");
    let status = local.run(&["--json", "status"], "");
    assert!(status.contains("\"services\": []"), "{status}");
    assert_eq!(local.end(), 0);
}

/// As a person's shell has it: credentials and an endpoint, and nothing of the stack.
fn of_a_person(state: &Path) -> Local {
    let mut local = Local::start(state);
    let of_the_machine = ["WINDLASS_CLOCK", "WINDLASS_ALB_ENDPOINT"];
    local.variables.retain(|name, _| name.starts_with("AWS_") || of_the_machine.contains(&name.as_str()));
    local
}

/// A call of Parameter Store, as the AWS CLI would send it; it must be answered 200.
fn ssm(local: &Local, operation: &str, input: &Value) {
    let host = local.variables["AWS_ENDPOINT_URL"].trim_start_matches("http://");
    let body = input.to_string();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-target: AmazonSSM.{operation}\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=test/20260101/eu-central-1/ssm/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{operation} {input}: {answer}");
}

#[test]
fn a_stack_is_found_by_its_name_or_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut local = of_a_person(dir.path());
    let put = |name: &str, value: &str| json!({"Name": format!("/windlass/stacks/{name}"), "Type": "String", "Value": value});
    let mut told = "the only one:\n".to_owned();
    told += &local.run(&["status"], "");
    told += &local.run(&["apply", "-"], "service: shop\nimage: {repository: shop}\n");
    told += &local.run(&["apply", "-"], "cluster: mian\nservice: shop\nimage: {repository: shop}\n");
    ssm(&local, "PutParameter", &put("other", r#"{"table": "t", "clusters": "blue, green"}"#));
    told += &local.run(
        &["--stack", "windlass", "apply", "-"],
        "cluster: green\nservice: shop\nimage: {repository: shop}\n",
    );
    told += &local.run(&["--stack", "windlass", "apply", "-"], "cluster: mian\nkeep_revisions: 3\n");
    told += "one of two:\n";
    told += &local.run(&["status"], "");
    told += &local.run(&["--stack", "windlass", "plan"], "");
    local.variables.insert("WINDLASS_STACK".to_owned(), "windlass".to_owned());
    told += &local.run(&["plan"], "");
    told += &local.run(&["--stack", "windlas", "status"], "");
    told += &local.run(&["--stack", "windlass", "--table", "t", "status"], "");
    ssm(
        &local,
        "DeleteParameters",
        &json!({"Names": ["/windlass/stacks/other", "/windlass/stacks/windlass"]}),
    );
    told += "none:\n";
    told += &local.run(&["status"], "");
    local.variables.remove("WINDLASS_STACK");
    told += &local.run(&["status"], "");
    insta::assert_snapshot!(told, @"
    the only one:
    $ windlass status
    SERVICE  IMAGE  STATE  TASKS  IN FLIGHT  HOLD  LAST RELEASE
    Windlass knows no service: `windlass apply FILE`, or tag one with windlass:track
    (exit 0)
    $ windlass apply -
    main/shop: created (/windlass/services/main/shop, version 1)
    (exit 0)
    $ windlass apply -
    stdin: refused, and nothing was written
      cluster `mian` is of no stack of Windlass in this Region (windlass has main); correct the cluster's name, or add it to the stack's ClusterNames first
    (exit 1)
    $ windlass --stack windlass apply -
    green/shop: created (/windlass/services/green/shop, version 1)
    (exit 0)
    $ windlass --stack windlass apply -
    stdin: refused, and nothing was written
      cluster `mian` is of no stack of Windlass in this Region (other has blue, green; windlass has main); correct the cluster's name, or add it to the stack's ClusterNames first
    (exit 1)
    one of two:
    $ windlass status
    error: finding the stack
      caused by: eu-central-1 has 2 stacks of Windlass: other, windlass
    hint: say which one: --stack other, or export WINDLASS_STACK=other
    (exit 3)
    $ windlass --stack windlass plan
    main/shop
      refused: repository shop does not exist; create it, or correct the spec
    (exit 0)
    $ windlass plan
    main/shop
      refused: repository shop does not exist; create it, or correct the spec
    (exit 0)
    $ windlass --stack windlas status
    error: finding the stack
      caused by: eu-central-1 has no stack `windlas` of Windlass; it has other, windlass
    hint: correct --stack or WINDLASS_STACK, or look elsewhere by --region and --profile
    (exit 3)
    $ windlass --stack windlass --table t status
    error: the argument '--stack <NAME>' cannot be used with '--table <TABLE>'

    Usage: windlass --stack <NAME> <COMMAND>

    For more information, try '--help'.
    (exit 64)
    none:
    $ windlass status
    error: finding the stack
      caused by: eu-central-1 has no stack of Windlass, and so no `windlass`
    hint: install one as README.md says (Deploy it), or look elsewhere by --region and --profile; a stack of an older template.yaml has no parameter: name its table by --table, its output Table
    (exit 3)
    $ windlass status
    error: finding the stack
      caused by: eu-central-1 has no stack of Windlass
    hint: install one as README.md says (Deploy it), or look elsewhere by --region and --profile; a stack of an older template.yaml has no parameter: name its table by --table, its output Table
    (exit 3)
    ");
    assert_eq!(local.end(), 0);
}

#[test]
fn where_nothing_answers_the_error_says_where_it_looked() {
    let end = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["--profile", "prod", "status"])
        .env_clear()
        .envs([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            // Nobody listens there.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ])
        .output()
        .unwrap();
    assert_eq!(end.status.code(), Some(3));
    insta::assert_snapshot!(String::from_utf8(end.stderr).unwrap(), @"
    error: looking for the stack in eu-central-1 (profile prod)
      caused by: ssm:GetParametersByPath: no answer: dispatch failure: io error: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: check AWS_ENDPOINT_URL, the Region and the network, then try again; for the embedded AWS: is `windlass local` still running?
    ");
}
