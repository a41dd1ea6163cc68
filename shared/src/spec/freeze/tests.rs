//! Cron's traps, clocks that change, windows that overlap; and a naive oracle.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, civil::DateTime};
use proptest::prelude::*;

use super::cron::Minutes;
use super::{Cron, FreezeWindow, TimeZoneName, frozen};
use crate::id::Timestamp;

fn window(start: &str, minutes: u32, zone: &str) -> FreezeWindow {
    FreezeWindow { start: Cron::new(start), minutes, timezone: TimeZoneName::new(zone), reason: None }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// `since..until` of the freeze at `now`, or `open`.
fn told(windows: &[FreezeWindow], now: &str) -> String {
    frozen(windows, at(now)).map_or_else(|| "open".to_owned(), |it| format!("{} to {}", it.since, it.until))
}

#[test]
fn a_weekend_is_frozen_from_friday_evening_to_monday_morning_in_its_own_zone() {
    let weekend = [window("0 18 * * FRI", 62 * 60, "Europe/Berlin")];
    for (now, expected) in [
        ("2026-01-09T16:59:59Z", "open"),
        ("2026-01-09T17:00:00Z", "2026-01-09T17:00:00Z to 2026-01-12T07:00:00Z"),
        ("2026-01-12T06:59:59Z", "2026-01-09T17:00:00Z to 2026-01-12T07:00:00Z"),
        ("2026-01-12T07:00:00Z", "open"),
        ("2026-07-10T16:00:00Z", "2026-07-10T16:00:00Z to 2026-07-13T06:00:00Z"),
    ] {
        assert_eq!(told(&weekend, now), expected, "{now}");
    }
}

#[test]
fn both_day_fields_restricted_mean_either_of_them() {
    let minutes = |text| Minutes::read(text).unwrap();
    let friday_13th: jiff::civil::Date = "2026-02-13".parse().unwrap();
    let friday: jiff::civil::Date = "2026-02-20".parse().unwrap();
    let thirteenth: jiff::civil::Date = "2026-01-13".parse().unwrap();
    let days = [friday_13th, friday, thirteenth];
    assert_eq!(days.map(|day| minutes("0 0 13 * FRI").has_day(day)), [true, true, true]);
    assert_eq!(days.map(|day| minutes("0 0 13 * *").has_day(day)), [true, false, true]);
    assert_eq!(days.map(|day| minutes("0 0 * * 5").has_day(day)), [true, true, false]);
    assert_eq!(minutes("0 0 * * 7"), minutes("0 0 * * SUN"));
    assert_eq!(minutes("5/15 0 * * *"), minutes("5,20,35,50 0 * * *"));
}

/// Berlin: 02:00 to 03:00 do not exist on 2026-03-29, and come twice on 2026-10-25.
#[test]
fn a_start_that_the_clocks_jump_over_or_repeat_begins_once_at_a_known_instant() {
    let night = [window("30 2 * * *", 60, "Europe/Berlin")];
    assert_eq!(told(&night, "2026-03-29T01:10:00Z"), "open");
    assert_eq!(told(&night, "2026-03-29T01:30:00Z"), "2026-03-29T01:30:00Z to 2026-03-29T02:30:00Z");
    assert_eq!(told(&night, "2026-10-25T00:30:00Z"), "2026-10-25T00:30:00Z to 2026-10-25T01:30:00Z");
    assert_eq!(told(&night, "2026-10-25T01:30:00Z"), "open", "the second 02:30 begins nothing");
}

#[test]
fn windows_without_a_gap_are_one_freeze_and_those_without_an_end_are_looked_at_so_far() {
    let chain =
        [window("0 8 * * *", 120, "UTC"), window("0 9 * * *", 120, "UTC"), window("0 11 * * *", 30, "UTC")];
    assert_eq!(told(&chain, "2026-01-01T08:30:00Z"), "2026-01-01T08:00:00Z to 2026-01-01T11:30:00Z");
    assert_eq!(told(&chain, "2026-01-01T11:30:00Z"), "open");
    let always = [window("* * * * *", 1, "UTC")];
    assert!(frozen(&always, at("2026-01-01T08:30:00Z")).is_some());
    let never = [window("0 0 30 2 *", 1000, "UTC")];
    assert_eq!(told(&never, "2026-03-01T00:00:00Z"), "open");
}

#[test]
fn a_zone_that_the_database_does_not_have_is_refused_with_the_nearest() {
    let problems = |zone: &str| {
        let yaml = format!(
            "image: {{repository: shop}}\nfreeze: [{{start: 0 0 * * *, minutes: 5, timezone: {zone}}}]"
        );
        crate::spec::ServiceSpec::parse(&yaml).map_err(|error| error.to_string())
    };
    assert!(problems("America/Argentina/Buenos_Aires").is_ok());
    insta::assert_snapshot!(problems("Europe/Berln").unwrap_err(), @"line 2: `freeze[0].timezone`: `Europe/Berln` is no time zone: did you mean `Europe/Berlin`?");
    insta::assert_snapshot!(problems("Mars/Olympus_Mons").unwrap_err(), @"line 2: `freeze[0].timezone`: `Mars/Olympus_Mons` is no time zone: names are such as `Europe/Berlin`, `UTC`");
}

/// Whether one of the last minutes was a start, asked minute by minute of the wall clock.
fn naive(window: &FreezeWindow, now: Timestamp) -> bool {
    let zone = TimeZone::get(window.timezone.as_str()).unwrap();
    let minutes = Minutes::read(window.start.as_str()).unwrap();
    let named =
        |at: DateTime| minutes.has_day(at.date()) && minutes.of_day(at.date()).any(|minute| minute == at);
    let floor = Timestamp::from_second(now.as_second().div_euclid(60) * 60).unwrap();
    let minute = |n: i64| floor - SignedDuration::from_mins(n);
    let is_start = |at: Timestamp| {
        let wall = zone.to_datetime(at);
        let repeated = (1..=180).any(|n| zone.to_datetime(at - SignedDuration::from_mins(n)) == wall);
        let before = zone.to_offset(at - SignedDuration::from_mins(180)).to_datetime(at);
        let around = (-180..=180).map(|n| zone.to_datetime(at + SignedDuration::from_mins(n)));
        let jumped = before != wall && !around.clone().any(|there| there == before);
        (named(wall) && !repeated) || (jumped && named(before))
    };
    (0..=i64::from(window.minutes)).map(minute).any(|start| {
        is_start(start) && now.duration_since(start) < SignedDuration::from_mins(i64::from(window.minutes))
    })
}

fn expression() -> impl Strategy<Value = String> {
    let minute =
        prop_oneof![Just("0".to_owned()), (0..60u8).prop_map(|n| n.to_string()), Just("*/20".into())];
    let hour = prop_oneof![(0..5u8).prop_map(|n| n.to_string()), Just("1-3".to_owned()), Just("*/6".into())];
    let day = prop_oneof![Just("*".to_owned()), (24..31u8).prop_map(|n| n.to_string())];
    let weekday = prop_oneof![Just("*".to_owned()), Just("SUN".into()), Just("1-5".into())];
    (minute, hour, day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Around the nights in which clocks change, of zones of both hemispheres, half hours
    /// (Lord Howe) among them.
    #[test]
    fn it_agrees_with_a_clock_that_is_watched_minute_by_minute(
        start in expression(),
        minutes in 1u32..400,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
        night in prop::sample::select(vec!["2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z", "2026-03-08T06:00:00Z", "2026-11-01T05:00:00Z", "2026-04-04T14:00:00Z", "2026-10-03T15:00:00Z"]),
        offset in -40_000i64..40_000,
    ) {
        let now = at(night) + SignedDuration::from_secs(offset);
        let window = window(&start, minutes, zone);
        let found = frozen([&window], now);
        prop_assert_eq!(found.is_some(), naive(&window, now), "{} {} in {} at {}", start, minutes, zone, now);
        if let Some(found) = found {
            prop_assert!(found.since <= now && now < found.until);
            prop_assert!(!naive(&window, found.until) || found.until.duration_since(now) > SignedDuration::from_hours(24));
            let before_the_end = found.until - SignedDuration::from_secs(1);
            prop_assert!(naive(&window, before_the_end));
        }
    }
}
