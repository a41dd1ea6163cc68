//! EventBridge's `*`: any characters, also none; `\*` and `\\` are the characters
//! themselves.

/// Whether `text` matches `pattern` as a whole.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let parts = split(pattern);
    let [only] = parts.as_slice() else {
        let (first, last) = (&parts[0], &parts[parts.len() - 1]);
        let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
        let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
        for part in &parts[1..parts.len() - 1] {
            let Some(at) = rest.find(part.as_str()) else { return false };
            rest = &rest[at + part.len()..];
        }
        return true;
    };
    only == text
}

/// The literal parts between the wildcards: one more than there are wildcards.
fn split(pattern: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut part = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => {
                let done = parts.len() - 1;
                parts[done] = std::mem::take(&mut part);
                parts.push(String::new());
            }
            '\\' => part.push(chars.next().unwrap_or('\\')),
            c => part.push(c),
        }
    }
    let last = parts.len() - 1;
    parts[last] = part;
    parts
}
