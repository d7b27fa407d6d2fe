//! How a fit is shown.

use serde_json::{Value as Json, json};
use tenure::lifetime::{FitReport, FitStatus};

/// A fit as JSON.
pub fn fit(report: &FitReport) -> Json {
    let parameters = report.parameters.iter().map(|p| {
        (
            p.name.to_string(),
            json!({"value": p.value, "standard_error": p.standard_error}),
        )
    });
    json!({
        "parameters": parameters.collect::<serde_json::Map<_, _>>(),
        "log_likelihood": report.log_likelihood,
        "status": status(&report.status),
        "customers": report.customers,
        "distinct": report.distinct,
        "iterations": report.iterations,
    })
}

/// How a fit ended, in words.
pub fn status(status: &FitStatus) -> String {
    match status {
        FitStatus::Interior => "maximum found".to_owned(),
        FitStatus::Boundary { drift } => {
            let names: Vec<_> = drift
                .iter()
                .map(|d| format!("{} → {:?}", d.parameter, d.limit))
                .collect();
            format!("no finite maximum: {}", names.join(", "))
        }
        FitStatus::Unfinished { slope } => format!("unfinished, slope {slope:.1e}"),
        _ => "of a kind that this program does not know".to_owned(),
    }
}
