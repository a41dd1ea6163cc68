//! A cron expression of five fields, read into the minutes that it names.
//!
//! As in Vixie's cron: a field that begins with `*` restricts nothing, and where both the day
//! of month and the day of week are restricted, either of them will do.

use jiff::civil::{Date, DateTime};

/// A field: its name, its numbers, its words.
struct Field {
    name: &'static str,
    from: u8,
    to: u8,
    words: &'static [&'static str],
}

const MONTHS: &[&str] = &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const DAYS: &[&str] = &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// In order. Both 0 and 7 are Sunday.
const FIELDS: [Field; 5] = [
    Field { name: "minute", from: 0, to: 59, words: &[] },
    Field { name: "hour", from: 0, to: 23, words: &[] },
    Field { name: "day of month", from: 1, to: 31, words: &[] },
    Field { name: "month", from: 1, to: 12, words: MONTHS },
    Field { name: "day of week", from: 0, to: 7, words: DAYS },
];

/// The minutes that an expression names: a set of numbers for each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Minutes {
    minute: u64,
    hour: u64,
    day: u64,
    month: u64,
    weekday: u64,
    /// Both day fields are restricted: either will do.
    either_day: bool,
}

impl Minutes {
    /// Reads the classic five fields of `*`, numbers, words (`MON`, `JAN`), ranges, steps and
    /// lists; else says what is wrong.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else {
            let many = fields.len();
            return Err(format!(
                "`{text}` has {many} fields, not 5: minute, hour, day of month, month, day of week (`0 22 * * FRI`)"
            ));
        };
        let [of_minute, of_hour, of_day, of_month, of_weekday] = &FIELDS;
        let weekdays = of_weekday.read(weekday)?;
        Ok(Self {
            minute: of_minute.read(minute)?,
            hour: of_hour.read(hour)?,
            day: of_day.read(day)?,
            month: of_month.read(month)?,
            weekday: (weekdays | (weekdays >> 7)) & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        })
    }

    /// Whether it names a minute of this day.
    pub(super) fn has_day(&self, date: Date) -> bool {
        let day = has(self.day, date.day());
        let weekday = has(self.weekday, date.weekday().to_sunday_zero_offset());
        has(self.month, date.month()) && if self.either_day { day || weekday } else { day && weekday }
    }

    /// The minutes of a day that it names, the last first.
    pub(super) fn of_day(&self, date: Date) -> impl Iterator<Item = DateTime> + '_ {
        let hours = (0..24).rev().filter(|hour| has(self.hour, *hour));
        hours.flat_map(move |hour| {
            let minutes = (0..60).rev().filter(|minute| has(self.minute, *minute));
            minutes.map(move |minute| date.at(hour, minute, 0, 0))
        })
    }
}

fn has(set: u64, number: i8) -> bool {
    u32::try_from(number).is_ok_and(|number| set & (1 << number) != 0)
}

impl Field {
    fn read(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |set, part| match self.part(part) {
            Some(numbers) => Ok(set | numbers),
            None => Err(format!(
                "`{part}` is no {}: {} to {}, `*`, ranges, steps or lists",
                self.name, self.from, self.to
            )),
        })
    }

    /// `*`, `5`, `1-5`, each perhaps with `/step`; `5/15` goes on to the end.
    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.from, self.to),
            Some((from, to)) => (self.value(from)?, self.value(to)?),
            None if step.is_some() => (self.value(range)?, self.to),
            None => (self.value(range)?, self.value(range)?),
        };
        let step =
            step.map_or(Some(1), |step| step.parse().ok().filter(|step| (1..=self.to).contains(step)))?;
        let numbers = (from..=to).step_by(usize::from(step));
        (from <= to).then(|| numbers.fold(0, |set, number| set | (1 << number)))
    }

    fn value(&self, text: &str) -> Option<u8> {
        let word = self.words.iter().position(|word| word.eq_ignore_ascii_case(text));
        let value = match word {
            Some(index) => self.from + u8::try_from(index).ok()?,
            None if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        (self.from..=self.to).contains(&value).then_some(value)
    }
}
