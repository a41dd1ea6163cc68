//! Small readers for the edge: AWS's ways to write "nothing", times, ARNs.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::id::{ClusterName, RepositoryName, Timestamp};

/// A text that must not be empty: a name.
pub(super) fn named<'de, D: Deserializer<'de>, T: From<String>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.trim().is_empty() { Err(Error::custom("is empty, a name is needed")) } else { Ok(text.into()) }
}

/// A text of which AWS writes `""` where it means none (an untagged image's tag).
pub(super) fn blank_is_none<'de, D: Deserializer<'de>, T: From<String>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.filter(|text| !text.is_empty()).map(Into::into))
}

/// A list that AWS leaves out, or gives as `null`, where it is empty.
pub(super) fn null_is_empty<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A cluster's short name from its ARN (`…:cluster/main`), or from the name itself.
pub(super) fn cluster<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClusterName, D::Error> {
    let text = String::deserialize(deserializer)?;
    let name = match text.split_once(":cluster/") {
        Some((_, name)) => name,
        None if text.starts_with("arn:") => {
            return Err(Error::custom(format!("`{text}` is not a cluster's ARN (…:cluster/<name>)")));
        }
        None => &text,
    };
    if name.is_empty() || name.contains('/') {
        return Err(Error::custom(format!("`{text}` names no cluster")));
    }
    Ok(ClusterName::new(name))
}

/// A repository's name from its ARN (`…:repository/team/shop`, as Inspector writes it), or
/// from the name itself.
pub(super) fn repository_of_arn<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<RepositoryName>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let name = text.split_once(":repository/").map_or(text.as_str(), |(_, name)| name);
    if name.is_empty() || name.starts_with("arn:") {
        return Err(Error::custom(format!("`{text}` names no repository")));
    }
    Ok(Some(RepositoryName::new(name)))
}

/// A time as AWS writes it: `2026-03-05T15:54:41.618059641Z`, or CloudWatch's `…+0000`.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let time = text.parse().map(Some);
    time.map_err(|_| Error::custom(format!("`{text}` is not a time like 2026-03-05T15:54:41Z")))
}

/// A number that ECS writes as text: `"99"`, and the text `"null"` for none.
pub(super) fn number_in_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    if matches!(text.as_str(), "null" | "") {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| Error::custom(format!("`{text}` is not a whole number in text")))
}

/// A detail of which nothing is needed, whatever it is.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(super) struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// The shape of a value that is not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `[…]`
    List,
    /// `{…}`
    Object,
    /// A text, a number, `true`, `null`.
    Plain,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Shape::List)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Shape, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Shape::Object)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Plain)
    }
}
