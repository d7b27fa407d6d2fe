//! `segment.json`: a file of sections, of which some have a module.

use serde_json::Value;

use super::data::DataFolder;
use super::tally::Tally;
use super::{retention, rfm};

pub fn evaluate(json: &Value, data: &DataFolder, tally: &mut Tally) {
    for (section, value) in json.as_object().into_iter().flatten() {
        match section.as_str() {
            "retention" => retention::evaluate(value, tally),
            "rfm" => rfm::evaluate(value, data, tally),
            about if about.starts_with('_') => {}
            other => tally.unsupported_tree(other, value),
        }
    }
}
