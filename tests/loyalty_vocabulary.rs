//! The words of a programme and the verbs of a ledger, one by one, with results worked out by hand.

#[path = "loyalty_vocabulary/earning.rs"]
mod earning;
#[path = "loyalty_vocabulary/lots.rs"]
mod lots;
#[path = "loyalty_vocabulary/refunds.rs"]
mod refunds;
#[path = "../examples/loyalty_replay/scenario.rs"]
mod scenario;
#[path = "loyalty_vocabulary/steps.rs"]
mod steps;
#[path = "loyalty_vocabulary/tiers.rs"]
mod tiers;
#[path = "loyalty_vocabulary/together.rs"]
mod together;
