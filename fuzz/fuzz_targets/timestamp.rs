//! Any text as a time. What is read is in range, says when it was, and is read back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tenure::event::{Timestamp, Zone};

fuzz_target!(|text: &str| {
    let paris = Zone::named("Europe/Paris").unwrap();
    for zone in [&Zone::UTC, &paris] {
        if let Some(time) = Timestamp::parse(text, zone) {
            assert!((Timestamp::MIN..=Timestamp::MAX).contains(&time));
            assert_eq!(Timestamp::parse(&time.to_string(), zone), Some(time));
        }
    }
});
