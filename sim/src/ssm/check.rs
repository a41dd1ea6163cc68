//! What Parameter Store refuses, in its words.

use super::{Kind, Tier};
use crate::call::ApiError;

/// AWS's limit of levels in a name's hierarchy.
const LEVELS: usize = 15;

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client("ValidationException", message)
}

/// A constraint of the API model.
pub(super) fn constraint(value: &str, member: &str, constraint: &str) -> ApiError {
    invalid(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    ))
}

pub(super) fn name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if name.is_empty() || name.len() > 1011 || !name.chars().all(allowed) {
        return Err(invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can \
             consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, \
             numbers and the following 3 symbols .-_",
        ));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("Parameter name must be a fully qualified name."));
    }
    if reserved(name) {
        return Err(invalid(format!("No access to reserved parameter name: {name}.")));
    }
    if name.matches('/').count() > LEVELS {
        return Err(ApiError::client(
            "HierarchyLevelLimitExceededException",
            format!("A parameter name can have at most {LEVELS} levels: {name}"),
        ));
    }
    Ok(())
}

fn reserved(name: &str) -> bool {
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    first.starts_with("aws") || first.starts_with("ssm")
}

pub(super) fn kind(kind: &str) -> Result<Kind, ApiError> {
    match kind {
        "String" => Ok(Kind::String),
        "StringList" => Ok(Kind::StringList),
        "SecureString" => Ok(Kind::SecureString),
        other => Err(constraint(
            other,
            "type",
            "Member must satisfy enum value set: [SecureString, StringList, String]",
        )),
    }
}

/// The tier that a write ends in. `Intelligent-Tiering` takes the least that fits; an
/// advanced parameter stays one where the write names no tier.
pub(super) fn tier(wanted: Option<&str>, current: Option<Tier>, value: &str) -> Result<Tier, ApiError> {
    let size = value.len();
    let tier = match wanted {
        None => current.unwrap_or_default(),
        Some("Standard") if current == Some(Tier::Advanced) => return Err(invalid(DOWNGRADE)),
        Some("Advanced") => Tier::Advanced,
        Some("Intelligent-Tiering") if size > 4096 || current == Some(Tier::Advanced) => Tier::Advanced,
        Some("Standard" | "Intelligent-Tiering") => Tier::Standard,
        Some(other) => {
            let set = "Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]";
            return Err(constraint(other, "tier", set));
        }
    };
    match tier {
        Tier::Standard if size > 4096 => Err(invalid(STANDARD_SIZE)),
        Tier::Advanced if size > 8192 => Err(invalid(ADVANCED_SIZE)),
        fits => Ok(fits),
    }
}

const DOWNGRADE: &str = "This parameter uses the advanced-parameter tier. You can't downgrade a parameter \
    from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the \
    advanced parameter and recreate it as a standard parameter.";
const STANDARD_SIZE: &str = "Standard tier parameters support a maximum parameter value of 4096 characters. \
    To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.";
const ADVANCED_SIZE: &str = "Advanced tier parameters support a maximum parameter value of 8192 characters.";
