//! The spec's text, its messages, its other forms.

mod labels;
mod messages;
mod properties;
mod reading;
mod wanted;

use super::{ServiceSpec, SpecError};

/// A spec of everything there is, each value in its range.
const WHOLE: &str = include_str!("whole.yaml");

fn refused(yaml: &str) -> String {
    let error: SpecError = ServiceSpec::parse(yaml).expect_err("is refused");
    error.to_string()
}

/// What is wrong with a spec of this image and these further lines; `fine` if nothing.
fn verdict(lines: &str) -> String {
    match ServiceSpec::parse(&format!("image: {{repository: shop}}\n{lines}")) {
        Ok(_) => "fine".into(),
        Err(error) => error.to_string(),
    }
}
