//! Numbers as people read them: thousands separators, a true minus sign, units.

use super::data::Currency;

/// A whole number: `23,570`.
pub(super) fn count(value: u64) -> String {
    group(&value.to_string())
}

/// A number with a fixed number of decimals: `−1,234.50`.
pub(super) fn decimal(value: f64, places: usize) -> String {
    let text = format!("{:.places$}", value.abs());
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text.as_str(), None),
    };
    // A small negative number that rounds to zero is zero, not minus zero.
    let negative = value < 0.0 && text.bytes().any(|b| matches!(b, b'1'..=b'9'));
    let mut out = String::from(if negative { "−" } else { "" });
    out.push_str(&group(whole));
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// A share as a percentage: 0.1234 is `12.3%` with one place.
pub(super) fn percent(share: f64, places: usize) -> String {
    decimal(share * 100.0, places) + "%"
}

/// An amount with all decimals of its currency: `$1,234.50`.
pub(super) fn money(value: f64, currency: &Currency) -> String {
    sign_before(
        &decimal(value, usize::from(currency.decimals)),
        &currency.symbol,
    )
}

/// An amount in whole units from a thousand on, where the decimals only disturb.
pub(super) fn round_money(value: f64, currency: &Currency) -> String {
    if value.abs() < 1000.0 {
        money(value, currency)
    } else {
        sign_before(&decimal(value, 0), &currency.symbol)
    }
}

/// A short number for an axis or a tight place: `1.5M`, with `places` decimals below a thousand.
pub(super) fn short(value: f64, places: usize) -> String {
    let (divisor, unit) = match value.abs() {
        v if v < 10_000.0 => return decimal(value, if v < 1000.0 { places } else { 0 }),
        v if v < 999_500.0 => (1e3, "k"),
        v if v < 999_500_000.0 => (1e6, "M"),
        v if v < 999_500_000_000.0 => (1e9, "bn"),
        _ => (1e12, "tn"),
    };
    let scaled = value / divisor;
    let text = decimal(scaled, usize::from(scaled.abs() < 99.95));
    text.strip_suffix(".0").unwrap_or(&text).to_owned() + unit
}

/// A short amount of money: `$1.5M`.
pub(super) fn short_money(value: f64, places: usize, currency: &Currency) -> String {
    sign_before(&short(value, places), &currency.symbol)
}

/// Puts a currency sign before a number: letters (`CHF`) stand off, signs (`$`) do not.
fn sign_before(number: &str, symbol: &str) -> String {
    let space = if symbol.ends_with(char::is_alphabetic) {
        "\u{A0}"
    } else {
        ""
    };
    match number.strip_prefix('−') {
        Some(rest) => format!("−{symbol}{space}{rest}"),
        None => format!("{symbol}{space}{number}"),
    }
}

/// Separates thousands with commas.
fn group(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(symbol: &str, decimals: u8) -> Currency {
        Currency {
            symbol: symbol.to_owned(),
            decimals,
        }
    }

    #[test]
    fn thousands_are_separated() {
        let cases = [
            (0, "0"),
            (7, "7"),
            (999, "999"),
            (1000, "1,000"),
            (23_570, "23,570"),
        ];
        for (value, text) in cases {
            assert_eq!(count(value), text);
        }
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn decimals_keep_sign_and_lose_minus_zero() {
        assert_eq!(decimal(-1234.5, 2), "−1,234.50");
        assert_eq!(decimal(-0.004, 2), "0.00");
        assert_eq!(decimal(1e18, 0), "1,000,000,000,000,000,000");
        assert_eq!(percent(0.1234, 1), "12.3%");
    }

    #[test]
    fn money_follows_its_currency() {
        assert_eq!(money(-12.5, &currency("$", 2)), "−$12.50");
        assert_eq!(money(1200.0, &currency("¥", 0)), "¥1,200");
        assert_eq!(money(1200.0, &currency("CHF", 2)), "CHF\u{A0}1,200.00");
        assert_eq!(round_money(1234.56, &currency("€", 2)), "€1,235");
        assert_eq!(short_money(1_500_000.0, 0, &currency("$", 2)), "$1.5M");
    }

    #[test]
    fn short_numbers_stay_short() {
        let cases = [
            (0.25, 2, "0.25"),
            (2000.0, 0, "2,000"),
            (20_000.0, 0, "20k"),
            (12_345.0, 0, "12.3k"),
            (999_600.0, 0, "1M"),
            (-2e9, 0, "−2bn"),
            (1e18, 0, "1,000,000tn"),
        ];
        for (value, places, text) in cases {
            assert_eq!(short(value, places), text);
        }
    }
}
