//! The account's commands against `windlass local`: what they print, and how they end.
//! Ports, digests and times are replaced, so that the words can be compared.

mod common;
#[path = "common/local.rs"]
mod local;

use std::process::Command;

use local::Local;

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

#[test]
fn without_a_table_the_error_says_where_to_find_it() {
    let end = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .arg("status")
        .env_clear()
        .envs([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ])
        .output()
        .unwrap();
    assert_eq!(end.status.code(), Some(3));
    insta::assert_snapshot!(String::from_utf8(end.stderr).unwrap());
}
