//! A lifecycle's answers in words.

use super::rhythm::{Multiples, Rhythm};
use super::stage::{Stage, Windows};
use super::timeline::Timeline;

/// By rhythm: the silence as a multiple of the usual gap.
pub(super) fn explain_rhythm(rhythm: &Rhythm, stage: Stage, timeline: &Timeline) -> String {
    let Multiples {
        at_risk,
        dormant,
        lost,
    } = rhythm.multiples;
    let name = stage.name();
    let silence = timeline.silence_days();
    if let (Stage::Resurrected, Some(gap)) = (stage, timeline.last_gap_days()) {
        let usual = rhythm.usual_days_before_last(timeline);
        return format!(
            "{name}: came back {} days ago after {} days, {} times the usual {} days (dormant from {dormant} times)",
            down(silence),
            down(gap),
            down(gap / usual),
            near(usual),
        );
    }
    let limits = match stage {
        Stage::New | Stage::Active | Stage::Resurrected => format!("at risk from {at_risk} times"),
        Stage::AtRisk => format!("at risk from {at_risk} times, dormant from {dormant}"),
        Stage::Dormant => format!("dormant from {dormant} times, lost from {lost}"),
        Stage::Lost => format!("lost from {lost} times"),
    };
    let subject = match stage {
        Stage::New => "days since the only purchase",
        _ => "days since the last purchase",
    };
    let usual = rhythm.usual_days(timeline);
    format!(
        "{name}: {} {subject} are {} times the usual {} days ({limits})",
        down(silence),
        down(silence / usual),
        near(usual),
    )
}

/// By windows: the silence in days.
pub(super) fn explain_windows(windows: &Windows, stage: Stage, timeline: &Timeline) -> String {
    let Windows {
        new_days,
        at_risk_days,
        dormant_days,
        lost_days,
    } = windows;
    let name = stage.name();
    let silence = down(timeline.silence_days());
    match (stage, timeline.last_gap_days()) {
        (Stage::New, _) => {
            let age = down(timeline.age_days());
            format!("{name}: {age} days since the first purchase (new for {new_days} days)")
        }
        (Stage::Resurrected, Some(gap)) => {
            let gap = down(gap);
            format!(
                "{name}: came back {silence} days ago after {gap} days (dormant from {dormant_days} days)"
            )
        }
        _ => {
            let limits = match stage {
                Stage::AtRisk => {
                    format!("at risk from {at_risk_days} days, dormant from {dormant_days}")
                }
                Stage::Dormant => {
                    format!("dormant from {dormant_days} days, lost from {lost_days}")
                }
                Stage::Lost => format!("lost from {lost_days} days"),
                _ => format!("at risk from {at_risk_days} days"),
            };
            format!("{name}: {silence} days since the last purchase ({limits})")
        }
    }
}

/// One decimal, cut and not rounded: 1.96 times is not yet "2 times".
fn down(value: f64) -> String {
    near((value * 10.0).floor() / 10.0)
}

/// One decimal, none for a whole number.
fn near(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0")
        .map_or_else(|| text.clone(), str::to_owned)
}
