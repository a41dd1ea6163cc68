use serde_json::json;

use super::*;

/// (pattern, events that match, events that do not)
fn table() -> Vec<(Value, Vec<Value>, Vec<Value>)> {
    vec![
        // Exact: strings, numbers as written, booleans, null.
        (
            json!({"a": ["x", "y"]}),
            vec![json!({"a": "x"}), json!({"a": "y", "b": 1})],
            vec![json!({"a": "X"}), json!({"a": "xy"}), json!({"b": "x"}), json!({}), json!({"a": null})],
        ),
        (json!({"a": [300]}), vec![json!({"a": 300})], vec![json!({"a": 300.0}), json!({"a": "300"})]),
        (json!({"a": [true]}), vec![json!({"a": true})], vec![json!({"a": "true"}), json!({"a": false})]),
        (json!({"a": [null]}), vec![json!({"a": null})], vec![json!({}), json!({"a": ""}), json!({"a": 0})]),
        (json!({"a": [""]}), vec![json!({"a": ""})], vec![json!({"a": null}), json!({})]),
        // Nested, and every field.
        (
            json!({"d": {"a": ["x"], "b": [1]}}),
            vec![json!({"d": {"a": "x", "b": 1}})],
            vec![json!({"d": {"a": "x"}}), json!({"a": "x", "b": 1}), json!({"d": "x"})],
        ),
        // Arrays in the event: one element is enough.
        (json!({"a": ["x"]}), vec![json!({"a": ["w", "x"]})], vec![json!({"a": ["w"]}), json!({"a": []})]),
        (json!({"a": [{"prefix": "arn:"}]}), vec![json!({"a": ["x", "arn:b"]})], vec![json!({"a": ["b"]})]),
        // Arrays of objects: one element must match the whole.
        (
            json!({"c": {"n": ["web"], "s": ["up"]}}),
            vec![json!({"c": [{"n": "db", "s": "up"}, {"n": "web", "s": "up"}]})],
            vec![json!({"c": [{"n": "web", "s": "down"}, {"n": "db", "s": "up"}]}), json!({"c": []})],
        ),
        // Strings.
        (
            json!({"a": [{"prefix": "/w/"}]}),
            vec![json!({"a": "/w/x"}), json!({"a": "/w/"})],
            vec![json!({"a": "w/x"}), json!({"a": 1})],
        ),
        (
            json!({"a": [{"prefix": {"equals-ignore-case": "Eu-"}}]}),
            vec![json!({"a": "EU-x"})],
            vec![json!({"a": "us-x"})],
        ),
        (json!({"a": [{"suffix": ".png"}]}), vec![json!({"a": "x.png"})], vec![json!({"a": "x.PNG"})]),
        (
            json!({"a": [{"suffix": {"equals-ignore-case": ".png"}}]}),
            vec![json!({"a": "x.PNG"})],
            vec![json!({"a": "x.jpg"})],
        ),
        (
            json!({"a": [{"equals-ignore-case": "Alice"}]}),
            vec![json!({"a": "aLICE"})],
            vec![json!({"a": "alices"})],
        ),
        (
            json!({"a": [{"wildcard": "dir/*.png"}]}),
            vec![json!({"a": "dir/.png"}), json!({"a": "dir/a/b.png"})],
            vec![json!({"a": "dir/x.jpg"}), json!({"a": "xdir/x.png"})],
        ),
        (
            json!({"a": [{"wildcard": "*a*b*a"}]}),
            vec![json!({"a": "aba"}), json!({"a": "xaxbxa"})],
            vec![json!({"a": "ab"}), json!({"a": "ba"})],
        ),
        (json!({"a": [{"wildcard": "x\\*"}]}), vec![json!({"a": "x*"})], vec![json!({"a": "xy"})]),
        (json!({"a": [{"wildcard": "a*a"}]}), vec![json!({"a": "aa"})], vec![json!({"a": "a"})]),
        // anything-but: not the absent.
        (
            json!({"a": [{"anything-but": ""}]}),
            vec![json!({"a": "v1"}), json!({"a": null})],
            vec![json!({"a": ""}), json!({})],
        ),
        (
            json!({"a": [{"anything-but": ["x", "y"]}]}),
            vec![json!({"a": "z"}), json!({"a": ["x", "z"]})],
            vec![json!({"a": "x"}), json!({"a": ["x", "y"]})],
        ),
        (json!({"a": [{"anything-but": [1, 2]}]}), vec![json!({"a": 3})], vec![json!({"a": 1})]),
        (
            json!({"a": [{"anything-but": {"prefix": "init"}}]}),
            vec![json!({"a": "x"})],
            vec![json!({"a": "initial"}), json!({"a": 1})],
        ),
        (
            json!({"a": [{"anything-but": {"suffix": [".a", ".b"]}}]}),
            vec![json!({"a": "x.c"})],
            vec![json!({"a": "x.b"})],
        ),
        (
            json!({"a": [{"anything-but": {"wildcard": "*/lib/*"}}]}),
            vec![json!({"a": "x"})],
            vec![json!({"a": "a/lib/b"})],
        ),
        (
            json!({"a": [{"anything-but": {"equals-ignore-case": ["X"]}}]}),
            vec![json!({"a": "y"})],
            vec![json!({"a": "x"})],
        ),
        // exists
        (
            json!({"d": {"a": [{"exists": true}]}}),
            vec![json!({"d": {"a": 0}}), json!({"d": {"a": null}})],
            vec![json!({"d": {}}), json!({"d": {"a": {"b": 1}}}), json!({"d": {"a": []}})],
        ),
        (
            json!({"d": {"a": [{"exists": false}]}}),
            vec![json!({"d": {"b": 1}}), json!({}), json!({"d": {"a": []}})],
            vec![json!({"d": {"a": ""}})],
        ),
        (json!({"a": [{"exists": false}, "x"]}), vec![json!({}), json!({"a": "x"})], vec![json!({"a": "y"})]),
        // numeric
        (
            json!({"a": [{"numeric": ["=", 300]}]}),
            vec![json!({"a": 300}), json!({"a": 300.0})],
            vec![json!({"a": 301}), json!({"a": "300"})],
        ),
        (
            json!({"a": [{"numeric": [">", 0, "<=", 5]}]}),
            vec![json!({"a": 5}), json!({"a": 0.5})],
            vec![json!({"a": 0}), json!({"a": 5.01})],
        ),
        (
            json!({"a": [{"numeric": ["<", -1]}, {"numeric": [">=", 10]}]}),
            vec![json!({"a": -2}), json!({"a": 10})],
            vec![json!({"a": 9})],
        ),
        // cidr
        (
            json!({"a": [{"cidr": "10.0.0.0/24"}]}),
            vec![json!({"a": "10.0.0.255"})],
            vec![json!({"a": "10.0.1.0"}), json!({"a": "::1"})],
        ),
        (
            json!({"a": [{"cidr": "2001:db8::/32"}]}),
            vec![json!({"a": "2001:db8::1"})],
            vec![json!({"a": "2001:db9::1"})],
        ),
        // $or, beside other fields, and nested.
        (
            json!({"s": ["x"], "$or": [{"a": [1]}, {"b": {"c": [2]}}]}),
            vec![json!({"s": "x", "a": 1}), json!({"s": "x", "b": {"c": 2}})],
            vec![json!({"s": "x", "a": 2}), json!({"s": "y", "a": 1})],
        ),
        (
            json!({"d": {"$or": [{"a": [1]}, {"a": [2], "b": [3]}]}}),
            vec![json!({"d": {"a": 1}}), json!({"d": {"a": 2, "b": 3}})],
            vec![json!({"d": {"a": 2}})],
        ),
    ]
}

#[test]
fn patterns_match_what_they_say_and_nothing_else() {
    for (pattern, yes, no) in table() {
        let compiled = Pattern::new(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        for event in yes {
            assert!(compiled.matches(&event), "{pattern} must match {event}");
        }
        for event in no {
            assert!(!compiled.matches(&event), "{pattern} must not match {event}");
        }
    }
}

#[test]
fn a_pattern_that_says_nothing_sensible_is_refused() {
    for pattern in [
        json!([]),
        json!({}),
        json!({"a": "x"}),
        json!({"a": []}),
        json!({"a": {}}),
        json!({"a": [["x"]]}),
        json!({"a": [{"sounds-like": "x"}]}),
        json!({"a": [{"prefix": "x", "suffix": "y"}]}),
        json!({"a": [{"prefix": 1}]}),
        json!({"a": [{"exists": "yes"}]}),
        json!({"a": [{"numeric": ["!", 1]}]}),
        json!({"a": [{"numeric": [">", "1"]}]}),
        json!({"a": [{"anything-but": {"numeric": ["=", 1]}}]}),
        json!({"a": [{"anything-but": []}]}),
        json!({"a": [{"wildcard": "a**b"}]}),
        json!({"$or": [{"a": ["x"]}]}),
        json!({"$or": ["a", "b"]}),
    ] {
        assert!(Pattern::new(&pattern).is_err(), "{pattern}");
    }
}
