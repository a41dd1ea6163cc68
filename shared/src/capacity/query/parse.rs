//! Reading an expression. A reader by hand: the argument of `=~` is a pattern with brackets of its own, so
//! that what a character means depends on what was read before.

use std::cmp::Ordering::{Equal, Greater, Less};

use regex::Regex;

use super::{Node, Subject, Test};

/// ECS's own limit, in characters.
const LENGTH_MAX: usize = 2000;
/// Deeper than a person writes, and far from the stack's end.
const DEPTH_MAX: usize = 32;

/// An expression that ECS would refuse, or that Windlass does not understand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cluster query `{text}`, at character {at}: {problem}")]
pub struct QueryError {
    /// The expression.
    pub text: String,
    /// Where, counted in characters from 1.
    pub at: usize,
    /// What is wrong with it.
    pub problem: String,
}

pub(super) fn parse(text: &str) -> Result<Node, QueryError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    if text.chars().count() > LENGTH_MAX {
        return Err(reader.error(format!("longer than ECS's {LENGTH_MAX} characters")));
    }
    let node = reader.any()?;
    reader.space();
    if reader.rest().is_empty() { Ok(node) } else { Err(reader.error("`and`, `or` or the end was expected")) }
}

/// `1.14.5` → 1, 14, 5.
pub(super) fn numbers(text: &str) -> Option<Vec<u64>> {
    text.strip_prefix('v').unwrap_or(text).split('.').map(|it| it.parse().ok()).collect()
}

struct Reader<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn any(&mut self) -> Result<Node, QueryError> {
        self.chain(["||", "or"], Self::all, Node::Any)
    }

    fn all(&mut self) -> Result<Node, QueryError> {
        self.chain(["&&", "and"], Self::one, Node::All)
    }

    fn chain(
        &mut self,
        words: [&str; 2],
        part: fn(&mut Self) -> Result<Node, QueryError>,
        join: fn(Vec<Node>) -> Node,
    ) -> Result<Node, QueryError> {
        let mut nodes = vec![part(self)?];
        while words.iter().any(|word| self.eat(word)) {
            nodes.push(part(self)?);
        }
        Ok(if nodes.len() == 1 { nodes.remove(0) } else { join(nodes) })
    }

    fn one(&mut self) -> Result<Node, QueryError> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(self.error(format!("nested deeper than {DEPTH_MAX}")));
        }
        let node = if self.eat("not") || self.eat("!") {
            Node::Not(Box::new(self.one()?))
        } else if self.eat("(") {
            let node = self.any()?;
            if !self.eat(")") {
                return Err(self.error("`)` was expected"));
            }
            node
        } else {
            self.test()?
        };
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Result<Node, QueryError> {
        let subject = self.subject()?;
        self.space();
        let operator_at = self.at;
        let operator = self.operator()?;
        self.check(&subject, operator, operator_at)?;
        let test = match operator {
            Operator::Exists => Test::Exists,
            Operator::Equals => Test::Among(vec![self.argument()?]),
            Operator::In => Test::Among(self.list()?),
            Operator::Matches => Test::Matches(self.pattern()?),
            Operator::Compares(orders) => Test::Compared(orders.to_vec(), self.number()?),
            Operator::Negated(Positive::Exists) => return Ok(not(subject, Test::Exists)),
            Operator::Negated(Positive::Equals) => {
                return Ok(not(subject, Test::Among(vec![self.argument()?])));
            }
            Operator::Negated(Positive::In) => return Ok(not(subject, Test::Among(self.list()?))),
            Operator::Negated(Positive::Matches) => return Ok(not(subject, Test::Matches(self.pattern()?))),
        };
        Ok(Node::Test(subject, test))
    }

    fn subject(&mut self) -> Result<Subject, QueryError> {
        self.space();
        let at = self.at;
        let name = self.while_true(|it| it.is_alphanumeric() || "_.-:/\\".contains(it));
        let subject = match name {
            "ec2InstanceId" => Subject::Ec2InstanceId,
            "agentConnected" => Subject::AgentConnected,
            "agentVersion" => Subject::AgentVersion,
            "runningTasksCount" => Subject::RunningTasks,
            "task:group" => Subject::TaskGroup,
            _ => match name.strip_prefix("attribute:") {
                Some(attribute) if !attribute.is_empty() => Subject::Attribute(attribute.to_owned()),
                _ => {
                    self.at = at;
                    return Err(self.error(match name {
                        "" => "a subject was expected: `attribute:ecs.instance-type`".to_owned(),
                        name => format!("Windlass does not understand the subject `{name}`"),
                    }));
                }
            },
        };
        Ok(subject)
    }

    fn operator(&mut self) -> Result<Operator, QueryError> {
        let found = OPERATORS.iter().find(|(word, _)| self.eat(word));
        found
            .map(|(_, operator)| *operator)
            .ok_or_else(|| self.error("an operator was expected: `==`, `in`, …"))
    }

    /// Which operators a subject has.
    fn check(&mut self, subject: &Subject, operator: Operator, at: usize) -> Result<(), QueryError> {
        let by_order = matches!(subject, Subject::AgentVersion | Subject::RunningTasks);
        let allowed = match operator {
            Operator::Compares(_) => by_order,
            Operator::Equals | Operator::Negated(Positive::Equals) => true,
            Operator::Exists | Operator::Negated(Positive::Exists) => {
                matches!(subject, Subject::Attribute(_) | Subject::TaskGroup)
            }
            _ => !by_order,
        };
        if allowed {
            return Ok(());
        }
        self.at = at;
        Err(self.error("this operator does not go with this subject"))
    }

    fn argument(&mut self) -> Result<String, QueryError> {
        self.space();
        if let Some(quoted) = self.quoted()? {
            return Ok(quoted.to_owned());
        }
        let word = self.while_true(|it| !it.is_whitespace() && !"()[],&|=!<>~'\"".contains(it));
        if word.is_empty() { Err(self.error("a value was expected")) } else { Ok(word.to_owned()) }
    }

    fn list(&mut self) -> Result<Vec<String>, QueryError> {
        if !self.eat("[") {
            return Err(self.error("a list was expected: `[a, b]`"));
        }
        let mut values = vec![self.argument()?];
        while self.eat(",") {
            values.push(self.argument()?);
        }
        if self.eat("]") { Ok(values) } else { Err(self.error("`,` or `]` was expected")) }
    }

    fn number(&mut self) -> Result<Vec<u64>, QueryError> {
        let at = self.at;
        let text = self.argument()?;
        numbers(&text).ok_or_else(|| {
            self.at = at;
            self.error(format!("`{text}` is neither a number nor a version"))
        })
    }

    /// Quoted, or up to a space or the bracket that closes what is around it.
    fn pattern(&mut self) -> Result<Regex, QueryError> {
        self.space();
        let at = self.at;
        let pattern = match self.quoted()? {
            Some(quoted) => quoted,
            None => self.bare_pattern(),
        };
        let whole = Regex::new(&format!("^(?:{pattern})$"));
        // The whole in brackets must be one pattern by itself: `a)|(b` is none.
        match (whole, Regex::new(pattern)) {
            (Ok(whole), Ok(_)) if !pattern.is_empty() => Ok(whole),
            _ => {
                self.at = at;
                Err(self.error(format!("Windlass does not understand the pattern `{pattern}`")))
            }
        }
    }

    fn bare_pattern(&mut self) -> &'a str {
        let mut open = 0_i32;
        self.while_true(|it| {
            open += i32::from(it == '(') - i32::from(it == ')');
            !it.is_whitespace() && open >= 0
        })
    }

    fn quoted(&mut self) -> Result<Option<&'a str>, QueryError> {
        let Some(quote) = self.rest().chars().next().filter(|it| "'\"".contains(*it)) else {
            return Ok(None);
        };
        let inside = &self.rest()[1..];
        let Some(end) = inside.find(quote) else { return Err(self.error("a quote is not closed")) };
        self.at += end + 2;
        Ok(Some(&inside[..end]))
    }

    /// Takes a word or a sign, where it comes next. A word ends where its letters end.
    fn eat(&mut self, word: &str) -> bool {
        self.space();
        let Some(after) = self.rest().strip_prefix(word) else { return false };
        let is_word = word.ends_with(char::is_alphabetic);
        if is_word && after.starts_with(|it: char| it.is_alphanumeric() || "_.-:/".contains(it)) {
            return false;
        }
        self.at += word.len();
        true
    }

    fn space(&mut self) {
        self.while_true(char::is_whitespace);
    }

    fn while_true(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|it| !wanted(it)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn error(&self, problem: impl Into<String>) -> QueryError {
        let at = self.text[..self.at].chars().count() + 1;
        QueryError { text: self.text.to_owned(), at, problem: problem.into() }
    }
}

fn not(subject: Subject, test: Test) -> Node {
    Node::Not(Box::new(Node::Test(subject, test)))
}

#[derive(Debug, Clone, Copy)]
enum Operator {
    Exists,
    Equals,
    In,
    Matches,
    Compares(&'static [std::cmp::Ordering]),
    Negated(Positive),
}

#[derive(Debug, Clone, Copy)]
enum Positive {
    Exists,
    Equals,
    In,
    Matches,
}

/// Longer ones before those that they begin with.
const OPERATORS: [(&str, Operator); 22] = [
    ("==", Operator::Equals),
    ("equals", Operator::Equals),
    ("!=", Operator::Negated(Positive::Equals)),
    ("not_equals", Operator::Negated(Positive::Equals)),
    ("=~", Operator::Matches),
    ("matches", Operator::Matches),
    ("!~", Operator::Negated(Positive::Matches)),
    ("not_matches", Operator::Negated(Positive::Matches)),
    (">=", Operator::Compares(&[Greater, Equal])),
    ("greater_than_equal", Operator::Compares(&[Greater, Equal])),
    (">", Operator::Compares(&[Greater])),
    ("greater_than", Operator::Compares(&[Greater])),
    ("<=", Operator::Compares(&[Less, Equal])),
    ("less_than_equal", Operator::Compares(&[Less, Equal])),
    ("<", Operator::Compares(&[Less])),
    ("less_than", Operator::Compares(&[Less])),
    ("exists", Operator::Exists),
    ("!exists", Operator::Negated(Positive::Exists)),
    ("not_exists", Operator::Negated(Positive::Exists)),
    ("in", Operator::In),
    ("!in", Operator::Negated(Positive::In)),
    ("not_in", Operator::Negated(Positive::In)),
];
