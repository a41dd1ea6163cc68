//! Small conversions from SDK shapes.

use std::collections::BTreeMap;

use windlass_shared::facts::Fact;
use windlass_shared::id::Timestamp;

use crate::error::Failure;
use windlass_shared::facts::FailureKind;

/// AWS counts in `i32` and never below zero.
pub(crate) fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// The other way: what Windlass sets is far below the limit.
pub(crate) fn int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// An SDK's instant. One out of jiff's range, or left out, is the epoch: older than anything.
pub(crate) fn instant(at: Option<&aws_smithy_types::DateTime>) -> Timestamp {
    at.and_then(|at| {
        let nanos = i32::try_from(at.subsec_nanos()).ok()?;
        Timestamp::new(at.secs(), nanos).ok()
    })
    .unwrap_or(Timestamp::UNIX_EPOCH)
}

pub(crate) fn sdk_instant(at: Timestamp) -> aws_smithy_types::DateTime {
    aws_smithy_types::DateTime::from_millis(at.as_millisecond())
}

pub(crate) fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// ECS's tags; one without a key is none.
pub(crate) fn ecs_tags(tags: &[aws_sdk_ecs::types::Tag]) -> BTreeMap<String, String> {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), text(tag.value())))).collect()
}

/// ELBv2's tags.
pub(crate) fn elb_tags(tags: &[aws_sdk_elasticloadbalancingv2::types::Tag]) -> BTreeMap<String, String> {
    tags.iter().filter_map(|tag| Some((tag.key()?.to_owned(), text(tag.value())))).collect()
}

/// What was found as a fact. Not found is absent; every other failure leaves it open.
pub(crate) fn fact<T>(found: Result<Option<T>, Failure>, doing: impl FnOnce() -> String) -> Fact<T> {
    match found {
        Ok(Some(value)) => Fact::Known(value),
        Ok(None) => Fact::Absent,
        Err(failure) if failure.kind == FailureKind::NotFound => Fact::Absent,
        Err(failure) => Fact::Unreadable(failure.into_unreadable(doing())),
    }
}
