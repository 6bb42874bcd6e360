//! Records as they might come: mostly JSON objects, with everything the decisions in the
//! crate's documentation are about, and some that a typing error broke.

use proptest::{collection::vec, prelude::*};

/// A record's text: an object, or an object with one mistake in it.
pub fn record() -> impl Strategy<Value = String> {
    prop_oneof![2 => trade(), 3 => flat(), 5 => object(), 2 => broken()]
}

/// A trade as the producer writes it.
pub fn trade() -> impl Strategy<Value = String> {
    (
        "[A-Z]{1,4}(\\.[AB])?",
        prop_oneof!["BUY", "SELL"],
        "[1-9][0-9]{0,5}\\.([0-9][1-9]|[0-9])",
        1..=10_000,
        1..100_000,
    )
        .prop_map(|(symbol, kind, price, quantity, id)| {
            format!(
                r#"{{"tickerSymbol": "{symbol}", "tradeType": "{kind}", "price": {price}, "quantity": {quantity}, "id": {id}}}"#
            )
        })
}

/// Nearly what the fast path takes: no nesting, few escapes, but also keys twice, numbers
/// that aren't JSON, and digits beyond a double's.
fn flat() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        "-?[0-9]{1,4}(\\.[0-9]{0,4})?",
        "-?(0|[1-9][0-9]{0,17})\\.[0-9]{1,18}",
        "-?0\\.0{0,6}[0-9]{1,3}",
        "-0(\\.0)?",
        "-?[1-9][0-9]{0,20}",
    ];
    let value = prop_oneof![
        4 => number,
        1 => "\"[a-z0-9.]{0,9}\"",
        1 => "true|false|null|tru|nulls",
    ];
    vec((space(), key(), space(), value, space()), 1..7).prop_map(|fields| {
        let fields: Vec<_> = fields
            .into_iter()
            .map(|(before, key, middle, value, after)| format!("{before}{key}{middle}:{value}{after}"))
            .collect();
        format!("{{{}}}", fields.join(","))
    })
}

fn object() -> impl Strategy<Value = String> {
    let field = (space(), key(), space(), space(), value(), space()).prop_map(
        |(before, key, after, before_value, value, end)| {
            format!("{before}{key}{after}:{before_value}{value}{end}")
        },
    );
    (space(), vec(field, 0..9), space())
        .prop_map(|(before, fields, after)| format!("{before}{{{}}}{after}", fields.join(",")))
}

fn broken() -> impl Strategy<Value = String> {
    let mistake = prop_oneof![
        Just(""),
        Just("\""),
        Just(","),
        Just("{"),
        Just("]"),
        Just("\n"),
        Just("0"),
        Just("-"),
        Just("."),
        Just("e"),
        Just("\\"),
        Just("NaN"),
        Just("\u{feff}"),
        Just("\u{0}"),
    ];
    (prop_oneof![trade(), object()], any::<prop::sample::Index>(), mistake, any::<bool>()).prop_map(
        |(text, index, mistake, replace)| {
            let mut chars: Vec<String> = text.chars().map(String::from).collect();
            let at = index.index(chars.len());
            if replace {
                chars[at] = mistake.to_owned();
            } else {
                chars.insert(at, mistake.to_owned());
            }
            chars.concat()
        },
    )
}

fn space() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 3 => Just(" "), 1 => Just("\n"), 1 => Just("\t\r ")]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => prop::sample::select(vec![
            "tickerSymbol", "tradeType", "price", "price", "quantity", "id", "stockId", "tradeTime",
        ]).prop_map(|key| format!("\"{key}\"")),
        1 => Just(r#""pri\u0063e""#.to_owned()),
        1 => Just(r#""\u0069d""#.to_owned()),
        2 => string(),
        4 => "\"[a-z]{0,9}\"",
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => number(),
        3 => "-?[0-9]{1,5}\\.[0-9]{1,4}".prop_filter("a leading zero", |text| {
            let digits = text.trim_start_matches('-');
            digits.starts_with("0.") || !digits.starts_with('0')
        }),
        3 => numeric_string(),
        2 => string(),
        2 => prop::sample::select(vec!["true", "false", "null", "1e400", "-0", "-0.0"]).prop_map(String::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let entry =
            (key(), space(), inner.clone()).prop_map(|(key, space, value)| format!("{key}{space}:{value}"));
        prop_oneof![
            (space(), vec(inner, 0..3)).prop_map(|(space, items)| format!("[{space}{}]", items.join(","))),
            (vec(entry, 0..3), space())
                .prop_map(|(entries, space)| format!("{{{}{space}}}", entries.join(","))),
        ]
    })
}

fn number() -> impl Strategy<Value = String> {
    "-?(0|[1-9][0-9]{0,21})(\\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?"
}

fn numeric_string() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\"( |\\\\t|\u{a0}|\u{2003})?[+-]?[0-9_]{0,6}(\\.[0-9_]{0,3})?([eE][+-]?[0-9]{1,2})? ?\"",
        1 => "\"[+-]?(nan|inf|Infinity|NaN|0x1F|true)\"",
    ]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "Z",
        "7",
        "_",
        ".",
        " ",
        ",",
        ":",
        "{",
        "}",
        "[",
        "]",
        "'",
        "é",
        "日",
        "🦀",
        "\u{7f}",
        "\u{2028}",
        "\\n",
        "\\\"",
        "\\\\",
        "\\/",
        "\\u0031",
        "\\u00e9",
        "\\ud800",
        "\\ud83e\\udd80",
        "\\u0000",
    ]);
    vec(piece, 0..12).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}
