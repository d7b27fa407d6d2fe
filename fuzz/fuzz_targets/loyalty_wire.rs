//! Any bytes: decoding never panics, and what it takes is encoded in the same way again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tenure::loyalty::wire;

fuzz_target!(|bytes: &[u8]| {
    let mut again = Vec::new();
    if let Ok(entry) = wire::decode_entry(bytes) {
        wire::encode_entry(&entry, &mut again);
        assert_eq!(again, bytes);
    }
    again.clear();
    if let Ok(record) = wire::decode_record(bytes) {
        wire::encode_record(&record, &mut again);
        assert_eq!(again, bytes);
    }
});
