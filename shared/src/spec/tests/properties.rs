//! Whatever is typed: no panic, and what is read is written back to the same.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{CONTAINERS_TAG, GuardRails, ServiceSpec, TRACK_TAG, from_labels, from_tags};
use super::WHOLE;

/// Scalars of every sort, ours among them.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e6..1e6).prop_map(|number: f64| json!(number)),
        "[ -~]{0,12}".prop_map(Value::from),
        prop::sample::select(vec!["rolling", "auto", "latest", "/a", "0 0 * * *"]).prop_map(Value::from),
        (0_u32..300).prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// The paths of a whole spec, so that mutations hit real keys.
fn mutate(value: &mut Value, path: &[usize], with: Value) {
    let Some((first, rest)) = path.split_first() else {
        *value = with;
        return;
    };
    let child = match value {
        Value::Object(map) if !map.is_empty() => {
            let index = first % map.len();
            map.values_mut().nth(index)
        }
        Value::Array(items) if !items.is_empty() => {
            let index = first % items.len();
            items.get_mut(index)
        }
        other => {
            *other = with;
            return;
        }
    };
    mutate(child.expect("the index is within"), rest, with);
}

fn whole() -> Value {
    serde_json::from_str(&ServiceSpec::parse(WHOLE).unwrap().canonical()).unwrap()
}

fn reads_back(text: &str) -> Result<(), TestCaseError> {
    if let Ok(spec) = ServiceSpec::parse(text) {
        prop_assert_eq!(ServiceSpec::parse(&spec.canonical()), Ok(spec.clone()));
        prop_assert!(spec.check().is_ok());
    }
    Ok(())
}

proptest! {
    // Reading YAML unoptimised is slow; CI runs these on every push.
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        reads_back(&text)?;
    }

    #[test]
    fn any_yaml_like_text_is_read_or_refused(text in "([a-z_]{1,9}|image|route|task)(: |:\n  |: \\[|: \\{|\n- |[&*!|>%@'\"#,\\]}]){0,6}") {
        reads_back(&text)?;
    }

    #[test]
    fn any_json_is_read_or_refused(mut value in tree(), with_image in any::<bool>()) {
        if with_image && let Value::Object(map) = &mut value {
            map.insert("image".into(), json!({"repository": "shop"}));
        }
        reads_back(&value.to_string())?;
    }

    #[test]
    fn a_spec_with_one_thing_changed_is_read_or_refused(path in prop::collection::vec(0_usize..16, 1..7), with in tree()) {
        let mut value = whole();
        mutate(&mut value, &path, with);
        reads_back(&value.to_string())?;
    }

    #[test]
    fn a_wrong_key_anywhere_is_refused_by_its_own_name(section in 0_usize..9, key in "zz[a-z]{6}") {
        let mut value = whole();
        let sections = ["image", "task", "network", "route", "rollout", "verify", "pre_deploy", "scan", "after"];
        let section = sections[section];
        value[section].as_object_mut().unwrap().insert(key.clone(), json!(1));
        let error = ServiceSpec::parse(&value.to_string()).unwrap_err().to_string();
        let expected = format!("unknown key `{section}.{key}`");
        prop_assert!(error.contains(&expected), "{}", error);
    }

    #[test]
    fn any_tags_and_labels_are_read_or_refused(
        tag in any::<String>(), containers in any::<String>(),
        labels in prop::collection::btree_map("windlass\\.[a-z_]{0,9}", any::<String>(), 0..5),
    ) {
        let tags = [(TRACK_TAG.to_owned(), tag), (CONTAINERS_TAG.to_owned(), containers)].into();
        if let Some(Ok(tracked)) = from_tags(&tags) {
            let spec = ServiceSpec::from(tracked);
            prop_assert!(spec.check().is_ok());
        }
        let rails = GuardRails { enabled: true, clusters: ["main".into()].into(), path_prefixes: vec!["/".into()],
            hosts: vec!["*".into()], max_cpu: 1024, max_memory: 2048, max_desired: 5 };
        if let Ok(Some((key, spec))) = from_labels(&"shop".into(), &labels, &rails, &"main".into()) {
            prop_assert_eq!(key.cluster.as_str(), "main");
            prop_assert!(spec.check().is_ok());
            let task = spec.task.unwrap();
            prop_assert!(task.cpu <= 1024 && task.memory <= 2048 && spec.desired <= 5);
        }
    }
}

#[test]
fn deep_nesting_is_refused_without_using_up_the_stack() {
    for text in ["[".repeat(10_000), "{a: ".repeat(10_000), "- ".repeat(10_000)] {
        ServiceSpec::parse(&text).unwrap_err();
    }
}
