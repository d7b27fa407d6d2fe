//! `recommend.json`: a file of sections, of which some have a model.

use serde_json::Value;

use super::data::DataFolder;
use super::tally::Tally;
use super::{recommend_als, recommend_evaluate, recommend_items, recommend_logs};

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
            "als_half_step" => recommend_als::evaluate(json, value, tally),
            "item_knn" => recommend_items::item_knn(json, value, tally),
            "ease" => recommend_items::ease(json, value, tally),
            "metrics" => recommend_evaluate::metrics(json, value, tally),
            "beyond_accuracy" => recommend_evaluate::beyond_accuracy(json, value, tally),
            "content" => recommend_items::content(json, value, tally),
            "mmr" => recommend_items::mmr(json, value, tally),
            "decayed_popularity" => recommend_logs::decayed_popularity(json, value, tally),
            "session_vmis_knn" => recommend_logs::session_vmis_knn(json, value, tally),
            about if about.starts_with('_') || COMMON.contains(&about) => {}
            other => tally.unsupported_tree(other, value),
        }
    }
}
