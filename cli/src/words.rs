//! Times and images as people read them.

use windlass_shared::id::{ImageDigest, ImageTag, Timestamp};

/// `v2 (3c949327e325)`
pub(crate) fn image(digest: &ImageDigest, tag: Option<&ImageTag>) -> String {
    match tag {
        Some(tag) => format!("{tag} ({})", digest.short()),
        None => digest.short().to_owned(),
    }
}

/// `2026-11-23 02:10:03Z`
pub(crate) fn at(instant: Timestamp) -> String {
    let text = format!("{instant:.0}");
    text.replacen('T', " ", 1)
}

/// `41 s`, `3 min 5 s`, `2 h 10 min`, `4 days`: between two instants, never negative.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> String {
    span(to.duration_since(from).as_secs().max(0))
}

fn span(secs: i64) -> String {
    match secs {
        0..120 => format!("{secs} s"),
        120..7200 => format!("{} min {} s", secs / 60, secs % 60),
        7200..172_800 => format!("{} h {} min", secs / 3600, secs / 60 % 60),
        _ => format!("{} days", secs / 86_400),
    }
}

/// `3,214`
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_counts_read_well() {
        let spans: Vec<_> = [0, 119, 185, 7800, 400_000].into_iter().map(span).collect();
        assert_eq!(spans, ["0 s", "119 s", "3 min 5 s", "2 h 10 min", "4 days"]);
        assert_eq!([count(7), count(999), count(1000), count(1_234_567)], ["7", "999", "1,000", "1,234,567"]);
        assert_eq!(at("2026-11-23T02:10:03.9Z".parse().unwrap()), "2026-11-23 02:10:03Z");
    }
}
