//! Whatever comes: no panic, and a refusal names a place that is there.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use super::super::unknown::is_documented;
use super::super::{Event, Problem, UnknownPart, doorbells, read};
use super::samples;

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é\u{0}]{0,12}".prop_map(Value::from),
        Just(Value::from("arn:aws:ecs:us-east-1:123456789012:service/main/shop")),
        Just(Value::from("2026-03-05T15:54:41.618059641Z")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z-]{1,10}", inner, 0..6)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Does everything with an event that a function would.
fn use_up(bytes: &[u8]) {
    match read(bytes) {
        Ok(incoming) => {
            let _ = (doorbells(&incoming), incoming.unknown_parts());
            assert!(!incoming.describe().is_empty());
            serde_json::to_string(&incoming).expect("what was read can be written");
        }
        Err(error) => assert!(error.to_string().contains("Next: ")),
    }
}

/// A place in JSON: keys and positions.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    At(usize),
}

/// Every place in a value, the value itself left out.
fn places(value: &Value, here: &[Step], found: &mut Vec<Vec<Step>>) {
    let mut visit = |step: Step, inner: &Value| {
        let there: Vec<Step> = here.iter().cloned().chain([step]).collect();
        found.push(there.clone());
        places(inner, &there, found);
    };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, inner)| visit(Step::Key(key.clone()), inner)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, inner)| visit(Step::At(at), inner)),
        _ => {}
    }
}

/// A place as [`super::super::Malformed`] writes it.
fn written(place: &[Step]) -> String {
    place.iter().fold(String::new(), |path, step| match step {
        Step::Key(key) if path.is_empty() => key.clone(),
        Step::Key(key) => format!("{path}.{key}"),
        Step::At(at) => format!("{path}[{at}]"),
    })
}

fn at_place<'a>(event: &'a mut Value, place: &[Step]) -> &'a mut Value {
    place.iter().fold(event, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::At(at) => &mut value[*at],
    })
}

/// Drops the place, or puts something else there.
fn mutate(event: &mut Value, place: &[Step], replacement: Option<Value>) {
    let parent = at_place(event, &place[..place.len() - 1]);
    match (place.last().expect("a place"), replacement) {
        (Step::Key(key), Some(value)) => parent[key.as_str()] = value,
        (Step::At(at), Some(value)) => parent[*at] = value,
        (Step::Key(key), None) => {
            parent.as_object_mut().expect("an object").remove(key);
        }
        (Step::At(at), None) => {
            parent.as_array_mut().expect("a list").remove(*at);
        }
    }
}

/// Is the place within something that Windlass leaves alone?
fn is_unread(event: &Event, place: &[Step]) -> bool {
    let words: Vec<String> = place
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::At(at) => at.to_string(),
        })
        .collect();
    let is_whole_detail_unread = matches!(event, Event::Unknown { .. } | Event::Schedule);
    (1..=words.len()).any(|length| {
        let path = words[..length].join(".");
        if path == "detail" { is_whole_detail_unread } else { is_documented(&path) }
    })
}

/// Objects whose keys are AWS's or the user's data, not fields.
const MAPS: [&str; 8] = [
    "finding-severity-counts",
    "dimensions",
    "attributes",
    "Details",
    "hookDetails",
    "testTrafficWeights",
    "productionTrafficWeights",
    "alarmTags",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        use_up(&bytes);
    }

    #[test]
    fn no_json_makes_it_panic(value in any_json()) {
        use_up(value.to_string().as_bytes());
    }

    #[test]
    fn no_detail_makes_it_panic(which in any::<prop::sample::Index>(), detail in any_json()) {
        let samples = samples();
        let mut event: Value = serde_json::from_slice(&samples[which.index(samples.len())].1).unwrap();
        event["detail"] = detail;
        use_up(event.to_string().as_bytes());
    }

    #[test]
    fn no_cut_or_flipped_byte_makes_it_panic(
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        byte in prop::option::of(any::<u8>()),
    ) {
        let mut bytes = samples()[which.index(samples().len())].1.clone();
        let at = at.index(bytes.len());
        match byte {
            Some(byte) => bytes[at] = byte,
            None => bytes.truncate(at),
        }
        use_up(&bytes);
    }

    /// Two-sided: what is refused is refused at a place that is there (or that is missing
    /// from a place that is there); what is read can be used.
    #[test]
    fn a_changed_sample_is_read_or_refused_at_a_real_place(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        replacement in prop::option::of(any_json()),
    ) {
        let samples = samples();
        let (name, bytes) = &samples[which.index(samples.len())];
        let mut event: Value = serde_json::from_slice(bytes).unwrap();
        let mut found = Vec::new();
        places(&event, &[], &mut found);
        let place = &found[place.index(found.len())];
        mutate(&mut event, place, replacement);
        let bytes = event.to_string();
        use_up(bytes.as_bytes());
        if let Err(error) = read(bytes.as_bytes()) {
            let mut found = Vec::new();
            places(&event, &[], &mut found);
            let mut real: BTreeSet<String> = found.iter().map(|place| written(place)).collect();
            real.insert(String::new());
            let at = match error.problem {
                Problem::Missing => error.path.rsplit_once('.').map_or("", |(parent, _)| parent),
                _ => error.path.as_str(),
            };
            prop_assert!(real.contains(at), "{name}: {error}");
            // `null` is how some write what they leave out.
            let is_there = found
                .iter()
                .any(|place| written(place) == error.path && !at_place(&mut event, place).is_null());
            prop_assert!(
                error.problem != Problem::Missing || !is_there,
                "{name}: said to be missing and is there: {error}"
            );
        }
    }

    /// AWS adds fields without notice: that changes no doorbell, and is counted.
    #[test]
    fn a_new_field_anywhere_changes_no_doorbell(
        which in any::<prop::sample::Index>(),
        place in any::<prop::sample::Index>(),
        value in any_json(),
    ) {
        let samples = samples();
        let (name, bytes) = &samples[which.index(samples.len())];
        let before = read(bytes).unwrap();
        let mut event: Value = serde_json::from_slice(bytes).unwrap();
        let mut objects = Vec::new();
        places(&event, &[], &mut objects);
        objects.push(Vec::new());
        objects.retain(|place| {
            at_place(&mut event, place).is_object() && !MAPS.iter().any(|map| written(place).contains(map))
        });
        let place = &objects[place.index(objects.len())];
        at_place(&mut event, place)["aFieldOfTomorrow"] = value;
        let after = read(event.to_string().as_bytes());
        prop_assert!(after.is_ok(), "{name}: {}", after.unwrap_err());
        let after = after.unwrap();
        prop_assert_eq!(doorbells(&before), doorbells(&after));
        let is_counted = after.unknown_parts().iter().any(
            |part| matches!(part, UnknownPart::Field { path } if path.ends_with("aFieldOfTomorrow")),
        );
        prop_assert!(is_counted || is_unread(&after.event, place), "{name}: not counted in {place:?}");
    }
}
