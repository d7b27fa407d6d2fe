//! `recommend.json`: a file of sections, of which some have a model.

use serde_json::Value;

use super::data::DataFolder;
use super::recommend_als;
use super::tally::Tally;

pub fn evaluate(json: &Value, _: &DataFolder, tally: &mut Tally) {
    const ABOUT: &[&str] = &[
        "name",
        "tolerance",
        "conventions",
        "interactions",
        "cross_checked",
    ];
    for (section, value) in json.as_object().into_iter().flatten() {
        match section.as_str() {
            "als_half_step" => recommend_als::evaluate(json, value, tally),
            about if ABOUT.contains(&about) || about.starts_with('_') => {}
            other => tally.unsupported_tree(other, value),
        }
    }
}
