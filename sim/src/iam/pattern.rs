//! `*` (any run of characters, also none) and `?` (exactly one) as policies have them.

/// A compiled pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    This(char),
    One,
    /// Any run, as far as `crosses` lets it: colons too, or up to the next one.
    Run {
        crosses: bool,
    },
}

impl Pattern {
    /// A value of `StringLike`, and one part of an ARN: a run crosses everything.
    pub(super) fn text(pattern: &str) -> Self {
        Self(pattern.chars().map(|c| token(c, true)).collect())
    }

    /// An action: letter case does not matter.
    pub(super) fn action(pattern: &str) -> Self {
        Self::text(&pattern.to_ascii_lowercase())
    }

    /// A statement's resource: a wildcard stays within its segment (between colons), unless it is
    /// the segment's last character (IAM's "Using wildcards in resource ARNs").
    pub(super) fn resource(pattern: &str) -> Self {
        let chars: Vec<char> = pattern.chars().collect();
        let ends = |at: usize| chars.get(at + 1).is_none_or(|next| *next == ':');
        Self(chars.iter().enumerate().map(|(at, c)| token(*c, ends(at))).collect())
    }

    /// Whether all of `text` matches. Each step remembers every place of the pattern that it may be
    /// at: no pattern is slow.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut places = vec![false; self.0.len() + 1];
        let mut next = places.clone();
        places[0] = true;
        self.skip_runs(&mut places);
        for c in text.chars() {
            next.fill(false);
            for (at, token) in self.0.iter().enumerate().filter(|(at, _)| places[*at]) {
                match token {
                    Token::This(own) if *own == c => next[at + 1] = true,
                    Token::One if c != ':' => next[at + 1] = true,
                    Token::Run { crosses } if *crosses || c != ':' => next[at] = true,
                    _ => {}
                }
            }
            self.skip_runs(&mut next);
            std::mem::swap(&mut places, &mut next);
            if !places.contains(&true) {
                return false;
            }
        }
        places[self.0.len()]
    }

    /// A run may also be empty.
    fn skip_runs(&self, places: &mut [bool]) {
        for (at, token) in self.0.iter().enumerate() {
            if places[at] && matches!(token, Token::Run { .. }) {
                places[at + 1] = true;
            }
        }
    }
}

fn token(c: char, crosses: bool) -> Token {
    match c {
        '*' => Token::Run { crosses },
        '?' => Token::One,
        c => Token::This(c),
    }
}

/// A value of `ArnLike`: each of an ARN's six parts is matched by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArnPattern(Vec<Pattern>);

impl ArnPattern {
    pub(super) fn new(pattern: &str) -> Self {
        Self(pattern.splitn(6, ':').map(Pattern::text).collect())
    }

    pub(super) fn matches(&self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        parts.len() == self.0.len() && self.0.iter().zip(parts).all(|(pattern, part)| pattern.matches(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_matches_its_pattern() {
        for (pattern, action, expected) in [
            ("ecs:UpdateService", "ecs:updateservice", true),
            ("ecs:UpdateService", "ecs:updateserviceprimarytaskset", false),
            ("ecs:Describe*", "ecs:describetasks", true),
            ("ecs:Describe*", "ecr:describeimages", false),
            ("*", "ecr:describeimages", true),
            ("ec*:*Image*", "ecr:describeimages", true),
            ("ec*:*Image", "ecr:describeimages", false),
            ("ecs:RunTas?", "ecs:runtask", true),
        ] {
            assert_eq!(Pattern::action(pattern).matches(action), expected, "{pattern} {action}");
        }
    }

    #[test]
    fn a_resources_wildcard_ends_at_a_colon_unless_it_ends_its_segment() {
        for (pattern, arn, expected) in [
            ("arn:*:ecs:*:*:service/main/*", "arn:aws:ecs:eu-central-1:1:service/main/shop", true),
            ("arn:*:ecs:*:*:service/main/*", "arn:aws:ecs:eu-central-1:1:service/other/shop", false),
            ("arn:aws:ecs:eu:1:task-definition/*:*", "arn:aws:ecs:eu:1:task-definition/shop:3", true),
            ("arn:aws:ecs:eu:1:task-definition/*:*", "arn:aws:ecs:eu:1:task-definition/shop:*", true),
            ("arn:aws:x:eu:1:a*b", "arn:aws:x:eu:1:a/b", true),
            ("arn:aws:x:eu:1:a*b", "arn:aws:x:eu:1:a:b", false),
            ("arn:aws:s3:::bucket/*/test/*", "arn:aws:s3:::bucket/1/2/test/3/object", true),
            ("*", "*", true),
            ("arn:*", "*", false),
        ] {
            assert_eq!(Pattern::resource(pattern).matches(arn), expected, "{pattern} on {arn}");
        }
    }

    #[test]
    fn an_arn_condition_is_matched_part_by_part() {
        let cluster = ArnPattern::new("arn:*:ecs:*:*:cluster/main");
        assert!(cluster.matches("arn:aws:ecs:eu-central-1:1:cluster/main"));
        assert!(!cluster.matches("arn:aws:ecs:eu-central-1:1:cluster/main2"));
        assert!(!cluster.matches("main"), "no ARN");
    }
}
