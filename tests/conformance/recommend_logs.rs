//! Sections of `recommend.json` whose models are learnt from rows with their times.

use serde_json::Value;
use tenure::event::{InteractionColumns, Interactions, Timestamp};
use tenure::recommend::{Explainer, Popularity, Query, SessionKnn, SessionKnnConfig};

use super::tally::Tally;

pub fn decayed_popularity(json: &Value, section: &Value, tally: &mut Tally) {
    let rel = json["tolerance"].as_f64().expect("a tolerance");
    let events = section["events_item_time"].as_array().expect("events");
    let log = log(events
        .iter()
        .map(|event| (0, whole(&event[0]) as u32, whole(&event[1]))));
    let half_life = whole(&section["half_life"]) as u32;
    let model = Popularity::decayed(&log, instant(whole(&section["now"])), half_life);
    let model = model.expect("a model");
    for (item, expected) in section["scores"].as_object().expect("scores") {
        let score = model
            .score_of(item.parse().expect("an item"))
            .expect("known");
        let place = format!("scores[{item}]");
        tally.close("decayed_popularity", &place, score, expected, rel);
    }
}

pub fn session_vmis_knn(json: &Value, section: &Value, tally: &mut Tally) {
    let rel = json["tolerance"].as_f64().expect("a tolerance");
    let entry = "session_vmis_knn";
    let sessions = section["sessions"].as_array().expect("sessions");
    let rows = (0..).zip(sessions).flat_map(|(number, session)| {
        let items = session[0].as_array().expect("items");
        let time = whole(&session[1]);
        items
            .iter()
            .map(move |item| (number, whole(item) as u32, time))
    });
    let config = SessionKnnConfig {
        latest: whole(&section["m"]) as u32,
        neighbours: whole(&section["k"]) as u32,
        idf_weighting: section["idf_weighting"].as_f64().expect("a number"),
    };
    let model = SessionKnn::fit(&log(rows), &config).expect("a model");
    let current = section["current"].as_array().expect("items");
    let visit: Vec<(u32, f32)> = current
        .iter()
        .map(|item| (whole(item) as u32, 1.0))
        .collect();
    let query = Query::Basket(&visit);

    let expected = section["neighbours"].as_array().expect("neighbours");
    let neighbours = model.neighbours(&query).expect("an answer");
    assert_eq!(neighbours.len(), expected.len());
    for (at, (found, expected)) in neighbours.iter().zip(expected).enumerate() {
        let place = format!("neighbours[{at}]");
        tally.equal(
            entry,
            &format!("{place}.session"),
            found.session,
            &expected["session"],
        );
        let (place, expected) = (format!("{place}.similarity"), &expected["similarity"]);
        tally.close(entry, &place, found.similarity, expected, rel);
    }
    // Items that are not named have no score.
    let zero = Value::from(0.0);
    for item in 0..7 {
        let expected = section["scores"].get(item.to_string()).unwrap_or(&zero);
        let score = model.explain(&query, item).expect("an answer").score;
        tally.close(entry, &format!("scores[{item}]"), score, expected, rel);
    }
}

fn log(rows: impl Iterator<Item = (u32, u32, i64)>) -> Interactions {
    let mut columns = InteractionColumns::default();
    for (customer, item, time) in rows {
        columns.customers = columns.customers.max(customer + 1);
        columns.items = columns.items.max(item + 1);
        columns.customer.push(customer);
        columns.item.push(item);
        columns.weight.push(1.0);
        columns.time.push(instant(time));
    }
    Interactions::from_columns(columns).expect("a log")
}

fn instant(unix_s: i64) -> Timestamp {
    Timestamp::from_unix_s(unix_s).expect("an instant")
}

fn whole(value: &Value) -> i64 {
    value.as_i64().expect("a whole number")
}
