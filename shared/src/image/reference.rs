//! An image's reference, as a container names it: `registry/repository:tag@digest`.

/// What stands before tag and digest, and the tag.
pub fn name_and_tag(reference: &str) -> (&str, Option<&str>) {
    let named = reference.split_once('@').map_or(reference, |(named, _)| named);
    // A colon after the last slash begins a tag; one before it is the registry's port.
    match named.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (named, None),
    }
}

#[cfg(test)]
mod tests {
    use super::name_and_tag;

    #[test]
    fn a_registrys_port_is_no_tag() {
        for (reference, expected) in [
            ("localhost:5000/team/shop", ("localhost:5000/team/shop", None)),
            ("localhost:5000/team/shop:1.2", ("localhost:5000/team/shop", Some("1.2"))),
            ("registry.example/shop:1@sha256:00", ("registry.example/shop", Some("1"))),
            ("registry.example/shop@sha256:00", ("registry.example/shop", None)),
            ("shop", ("shop", None)),
        ] {
            assert_eq!(name_and_tag(reference), expected, "{reference}");
        }
    }
}
