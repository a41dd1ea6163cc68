//! Output members as XML: lists as `<member>` (EC2's as `<item>`), null left out, text escaped.

use serde_json::Value;

/// The members of a structure, each as its element; `entry` is the element of a list's items.
pub(super) fn members(out: &mut String, structure: &Value, entry: &str) {
    for (name, value) in structure.as_object().into_iter().flatten() {
        element(out, name, value, entry);
    }
}

fn element(out: &mut String, name: &str, value: &Value, entry: &str) {
    if value.is_null() {
        return;
    }
    out.push('<');
    out.push_str(name);
    out.push('>');
    match value {
        Value::Array(items) => items.iter().for_each(|item| element(out, entry, item, entry)),
        Value::Object(_) => members(out, value, entry),
        Value::String(text) => out.push_str(&escaped(text)),
        scalar => out.push_str(&scalar.to_string()),
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Escapes what XML gives a meaning, and the control characters that it cannot carry.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\n' | '\t' => out.push(c),
            c if c < ' ' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
