//! A composite alarm's expression: `ALARM("a") OR (ALARM(b) AND NOT OK(c))`. NOT binds
//! closest, then AND, then OR. `AT_LEAST` is refused.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::AlarmState;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Rule {
    Constant(bool),
    /// Whether an alarm is in a state.
    Is(AlarmState, String),
    Not(Box<Rule>),
    And(Box<Rule>, Box<Rule>),
    Or(Box<Rule>, Box<Rule>),
}

impl Rule {
    /// Reads an expression; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokens(text)?, at: 0 };
        let rule = parser.or()?;
        match parser.peek() {
            None => Ok(rule),
            Some(token) => Err(format!("unexpected {token:?} after the expression")),
        }
    }

    /// Whether it holds.
    pub(super) fn holds(&self, state: &impl Fn(&str) -> Option<AlarmState>) -> bool {
        match self {
            Self::Constant(value) => *value,
            Self::Is(wanted, name) => state(name) == Some(*wanted),
            Self::Not(inner) => !inner.holds(state),
            Self::And(left, right) => left.holds(state) && right.holds(state),
            Self::Or(left, right) => left.holds(state) || right.holds(state),
        }
    }

    /// The alarms that it names.
    pub(super) fn children(&self) -> BTreeSet<&str> {
        match self {
            Self::Constant(_) => BTreeSet::new(),
            Self::Is(_, name) => [name.as_str()].into(),
            Self::Not(inner) => inner.children(),
            Self::And(left, right) | Self::Or(left, right) => {
                left.children().union(&right.children()).copied().collect()
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    /// A keyword or a bare name.
    Word(String),
    /// A name in quotes.
    Quoted(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            '(' => (Token::Open, &rest[1..]),
            ')' => (Token::Close, &rest[1..]),
            '"' => {
                let (name, after) = rest[1..].split_once('"').ok_or("a quotation mark that is not closed")?;
                (Token::Quoted(name.to_owned()), after)
            }
            _ => {
                let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c)).unwrap_or(rest.len());
                (Token::Word(rest[..end].to_owned()), &rest[end..])
            }
        };
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Word(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, wanted: &Token) -> Result<(), String> {
        match self.next() {
            Some(token) if token == *wanted => Ok(()),
            Some(token) => Err(format!("{token:?} where {wanted:?} was expected")),
            None => Err(format!("the expression ends where {wanted:?} was expected")),
        }
    }

    fn or(&mut self) -> Result<Rule, String> {
        let mut left = self.and()?;
        while self.takes("OR") {
            left = Rule::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Rule, String> {
        let mut left = self.not()?;
        while self.takes("AND") {
            left = Rule::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Rule, String> {
        if self.takes("NOT") { Ok(Rule::Not(Box::new(self.not()?))) } else { self.atom() }
    }

    fn atom(&mut self) -> Result<Rule, String> {
        match self.next() {
            Some(Token::Open) => {
                let inner = self.or()?;
                self.expect(&Token::Close)?;
                Ok(inner)
            }
            Some(Token::Word(word)) => match word.as_str() {
                "TRUE" | "true" => Ok(Rule::Constant(true)),
                "FALSE" | "false" => Ok(Rule::Constant(false)),
                "ALARM" => self.named(AlarmState::Alarm),
                "OK" => self.named(AlarmState::Ok),
                "INSUFFICIENT_DATA" => self.named(AlarmState::InsufficientData),
                other => Err(format!("{other} is no function of an alarm rule here")),
            },
            Some(token) => Err(format!("{token:?} where a function was expected")),
            None => Err("the expression ends where a function was expected".into()),
        }
    }

    fn named(&mut self, state: AlarmState) -> Result<Rule, String> {
        self.expect(&Token::Open)?;
        let name = match self.next() {
            Some(Token::Word(name) | Token::Quoted(name)) => plain_name(&name).to_owned(),
            other => return Err(format!("{other:?} where an alarm's name was expected")),
        };
        self.expect(&Token::Close)?;
        Ok(Rule::Is(state, name))
    }
}

/// `arn:…:alarm:a` names `a`.
fn plain_name(name: &str) -> &str {
    match name.split_once(":alarm:") {
        Some((prefix, rest)) if prefix.starts_with("arn:") => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str) -> bool {
        let state = |name: &str| match name {
            "a" | "a b" => Some(AlarmState::Alarm),
            "o" => Some(AlarmState::Ok),
            "i" => Some(AlarmState::InsufficientData),
            _ => None,
        };
        Rule::parse(text).unwrap().holds(&state)
    }

    #[test]
    fn expressions_hold_by_their_alarms() {
        for (text, expected) in [
            (r#"ALARM("a")"#, true),
            ("ALARM(a)", true),
            (r#"ALARM("a b")"#, true),
            ("ALARM(arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a)", true),
            ("ALARM(o) OR ALARM(a)", true),
            ("ALARM(o) AND ALARM(a)", false),
            ("NOT ALARM(o) AND ALARM(a)", true),
            ("NOT (ALARM(o) OR ALARM(a))", false),
            ("ALARM(a) OR ALARM(o) AND ALARM(i)", true),
            ("(ALARM(a) OR ALARM(o)) AND ALARM(i)", false),
            ("INSUFFICIENT_DATA(i) AND OK(o)", true),
            ("TRUE AND NOT FALSE", true),
        ] {
            assert_eq!(holds(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        for text in [
            "",
            "ALARM",
            "ALARM(",
            "ALARM(a",
            "ALARM(a) ALARM(b)",
            "AND",
            "ALARM(\"a)",
            "AT_LEAST(1, ALARM, (a))",
        ] {
            assert!(Rule::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_alarms_it_names() {
        let rule = Rule::parse("ALARM(b) OR NOT OK(a) AND ALARM(b)").unwrap();
        assert_eq!(rule.children().into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
