//! What the stack's parameters say to the scale pass.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::capacity::UsdPerHour;
use crate::id::{Actor, Region};

/// The stack's settings, read by the binaries from their environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The Region that the stack is in.
    pub region: Region,
    /// What an hour of an instance type costs.
    pub prices: BTreeMap<String, Price>,
    /// Who acts: the function, or a person at the CLI.
    pub actor: Actor,
}

/// What an hour of an instance type costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// On demand.
    pub on_demand: UsdPerHour,
    /// As a spot instance.
    pub spot: Option<UsdPerHour>,
}

/// A price table that does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no price: write `t4g.small=0.0168`, or `t4g.small=0.0168/0.0067` with the spot price after the slash"
)]
pub struct NotAPrice(pub String);

/// Reads a price table: `t4g.small=0.0168/0.0067,m7g.large=0.0816`, dollars an hour.
pub fn prices(text: &str) -> Result<BTreeMap<String, Price>, NotAPrice> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let refuse = || NotAPrice(part.to_owned());
            let (kind, price) = part.split_once('=').ok_or_else(refuse)?;
            let (on_demand, spot) = match price.split_once('/') {
                None => (price, None),
                Some((on_demand, spot)) => (on_demand, Some(spot)),
            };
            let on_demand = dollars(on_demand).ok_or_else(refuse)?;
            let spot = spot.map(|spot| dollars(spot).ok_or_else(refuse)).transpose()?;
            Ok((kind.trim().to_owned(), Price { on_demand, spot }))
        })
        .collect()
}

/// Decimal dollars as whole millionths: no binary fraction comes in between.
fn dollars(text: &str) -> Option<UsdPerHour> {
    let (whole, part) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if part.len() > 6 || !is_digits(part) || !is_digits(whole) || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    Some(UsdPerHour::micros(whole.checked_mul(1_000_000)?.checked_add(part)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_exact_and_what_is_none_is_named() {
        let table = prices(" t4g.small=0.0168/0.0067, m7g.large=1 ,").unwrap();
        assert_eq!(table["t4g.small"].on_demand, UsdPerHour::micros(16_800));
        assert_eq!(table["t4g.small"].spot, Some(UsdPerHour::micros(6_700)));
        assert_eq!(table["m7g.large"].on_demand, UsdPerHour::micros(1_000_000));
        assert_eq!(prices("").unwrap(), BTreeMap::new());
        for bad in ["t3.small", "t3.small=", "t3.small=.", "t3.small=0.1.2", "t3.small=-1", "t3.small=1/x"] {
            assert_eq!(prices(bad), Err(NotAPrice(bad.to_owned())), "{bad}");
        }
    }
}
