//! Metric math: `+ - * /`, parentheses, numbers and the ids of other queries. Functions are
//! refused by name.

use std::collections::BTreeMap;

use crate::time::Time;

/// Values by the beginning of their period.
pub(super) type Values = BTreeMap<Time, f64>;

/// An expression over ids.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Id(String),
    Negative(Box<Expression>),
    Of(Operator, Box<Expression>, Box<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// What an expression comes to.
enum Value {
    Number(f64),
    Series(Values),
}

impl Expression {
    /// Reads an expression; the error says what is not carried out.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let expression = parser.sum()?;
        match parser.peek() {
            None => Ok(expression),
            Some(c) => Err(format!("unexpected '{c}'")),
        }
    }

    /// The ids that it names.
    pub(super) fn ids(&self) -> Vec<&str> {
        match self {
            Self::Number(_) => Vec::new(),
            Self::Id(id) => vec![id],
            Self::Negative(inner) => inner.ids(),
            Self::Of(_, left, right) => left.ids().into_iter().chain(right.ids()).collect(),
        }
    }

    /// Its values where every part has one. A division by zero is no value, as in CloudWatch.
    /// The error: it comes to one number, not to a time series.
    pub(super) fn values(&self, of: &impl Fn(&str) -> Values) -> Result<Values, String> {
        match self.evaluate(of) {
            Value::Series(values) => Ok(values),
            Value::Number(_) => Err("it must come to a time series, and this is a number".into()),
        }
    }

    fn evaluate(&self, of: &impl Fn(&str) -> Values) -> Value {
        match self {
            Self::Number(number) => Value::Number(*number),
            Self::Id(id) => Value::Series(of(id)),
            Self::Negative(inner) => combine(Operator::Subtract, &Value::Number(0.0), &inner.evaluate(of)),
            Self::Of(operator, left, right) => combine(*operator, &left.evaluate(of), &right.evaluate(of)),
        }
    }
}

fn combine(operator: Operator, left: &Value, right: &Value) -> Value {
    let each = |values: &Values, with: &dyn Fn(Time, f64) -> Option<f64>| {
        let kept = values.iter().filter_map(|(at, value)| Some((*at, with(*at, *value)?)));
        Value::Series(kept.filter(|(_, value)| value.is_finite()).collect())
    };
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Value::Number(operator.of(*left, *right)),
        (Value::Series(left), Value::Number(right)) => each(left, &|_, left| Some(operator.of(left, *right))),
        (Value::Number(left), Value::Series(right)) => {
            each(right, &|_, right| Some(operator.of(*left, right)))
        }
        (Value::Series(left), Value::Series(right)) => {
            each(left, &|at, left| Some(operator.of(left, *right.get(&at)?)))
        }
    }
}

impl Operator {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
        }
    }
}

struct Parser<'t> {
    rest: &'t str,
}

impl Parser<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: &[(char, Operator)]) -> Option<Operator> {
        let found = self.peek()?;
        let (_, operator) = wanted.iter().find(|(c, _)| *c == found)?;
        self.rest = &self.rest[1..];
        Some(*operator)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        while let Some(operator) = self.take(&[('+', Operator::Add), ('-', Operator::Subtract)]) {
            left = Expression::Of(operator, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.atom()?;
        while let Some(operator) = self.take(&[('*', Operator::Multiply), ('/', Operator::Divide)]) {
            left = Expression::Of(operator, Box::new(left), Box::new(self.atom()?));
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Expression, String> {
        match self.peek() {
            Some('-') => {
                self.rest = &self.rest[1..];
                Ok(Expression::Negative(Box::new(self.atom()?)))
            }
            Some('(') => {
                self.rest = &self.rest[1..];
                let inner = self.sum()?;
                if self.peek() != Some(')') {
                    return Err("a parenthesis is not closed".into());
                }
                self.rest = &self.rest[1..];
                Ok(inner)
            }
            Some(c) if c.is_ascii_digit() || c == '.' => {
                let text = self.while_in(|c| c.is_ascii_digit() || c == '.');
                text.parse().map(Expression::Number).map_err(|_| format!("{text} is no number"))
            }
            Some(c) if c.is_ascii_alphabetic() => self.id(),
            Some(c) => Err(format!("the embedded CloudWatch does not have the operator '{c}'")),
            None => Err("the expression ends where a value was expected".into()),
        }
    }

    fn id(&mut self) -> Result<Expression, String> {
        let id = self.while_in(|c| c.is_ascii_alphanumeric() || c == '_');
        if self.peek() == Some('(') || id.starts_with(|c: char| c.is_ascii_uppercase()) {
            return Err(format!("the embedded CloudWatch does not have the function {id}"));
        }
        Ok(Expression::Id(id))
    }

    fn while_in(&mut self, admits: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| !admits(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<f64> {
        let of = |id: &str| match id {
            "m1" => [(Time(0), 6.0), (Time(60_000), 1.0)].into(),
            "m2" => [(Time(0), 3.0), (Time(60_000), 0.0), (Time(120_000), 5.0)].into(),
            _ => Values::new(),
        };
        Expression::parse(text).unwrap().values(&of).unwrap().into_values().collect()
    }

    #[test]
    fn expressions_come_to_values() {
        assert_eq!(values("m1 + m2"), [9.0, 1.0]);
        assert_eq!(values("100*m1/m2"), [200.0], "a division by zero is no value");
        assert_eq!(values("m1-m2*2"), [0.0, 1.0]);
        assert_eq!(values("(m1-m2)*-2.5"), [-7.5, -2.5]);
        assert_eq!(values("none + 1"), Vec::<f64>::new());
    }

    #[test]
    fn what_is_not_carried_out_is_named() {
        for (text, named) in [
            ("FILL(m1, 0)", "FILL"),
            ("SUM(METRICS())", "SUM"),
            ("m1 ^ 2", "^"),
            ("m1 >", ">"),
            ("(m1", "parenthesis"),
            ("", "ends"),
            ("1.2.3", "1.2.3"),
        ] {
            let error = Expression::parse(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
        assert!(Expression::parse("1+1").unwrap().values(&|_| Values::new()).is_err());
    }
}
