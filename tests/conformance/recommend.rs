//! `recommend.json`: a file of sections, of which some have a model.

use serde_json::Value;

use super::data::DataFolder;
use super::recommend_items;
use super::tally::Tally;

/// What is not a section.
const COMMON: &[&str] = &[
    "name",
    "tolerance",
    "conventions",
    "interactions",
    "cross_checked",
];

pub fn evaluate(json: &Value, _: &DataFolder, tally: &mut Tally) {
    for (section, value) in json.as_object().into_iter().flatten() {
        match section.as_str() {
            "item_knn" => recommend_items::item_knn(json, value, tally),
            "ease" => recommend_items::ease(json, value, tally),
            about if about.starts_with('_') || COMMON.contains(&about) => {}
            other => tally.unsupported_tree(other, value),
        }
    }
}
