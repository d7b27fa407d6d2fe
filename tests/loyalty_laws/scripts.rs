//! Random programmes and random commands.

use proptest::prelude::*;
use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Action, Adjust, Command, CommandId, Earn, Hold, Ledger, Line, MemoryStore, Points,
    Programme, Purse, Redeem, Rules,
};

pub const NAMES: [&str; 3] = ["ann", "bob", "cho"];

/// Programmes that between them use every kind of rule.
const PROGRAMMES: [&str; 8] = [
    r#"{"earn_rules": [{"rate": [1, 4]}], "expiry": {"kind": "days", "n": 30}, "transfer_fee": [1, 20],
        "group": {"size": 2, "seconds": 9000000, "deposit": 2}}"#,
    r#"{"earn_rules": [{"rate": [1, 7]}], "expiry": {"kind": "months_end", "n": 1}, "pending_days": 5,
        "extend_on_activity": {"months": 1}, "consume": "oldest_first",
        "tiers": {"kind": "anniversary", "unit": "points", "thresholds": [50, 400]}}"#,
    r#"{"earn_rules": [{"rate": [1, 10]}, {"rate": [3, 200], "category": "a"}], "expiry": {"kind": "inactivity", "n": 2},
        "restore_expired": {"kind": "grace", "days": 20}, "group": {"size": 2, "seconds": 9000000, "deposit": 1}}"#,
    r#"{"earn_rules": [{"rate": [1, 3]}], "clawback": "own_lot_then_debt", "pending_days": 20,
        "cap": {"kind": "sliding", "seconds": 2000000, "points": 5000},
        "liability": {"point_value": [1, 3], "urr": [9, 10]}}"#,
    r#"{"earn_rules": [{"rate": [1, 9], "tier": 0}, {"rate": [2, 9], "tier": 1}], "clawback": "own_lot_then_write_off",
        "expiry": {"kind": "months_exact", "n": 2}, "refund_keep_rounding": "half_even",
        "tiers": {"kind": "calendar_year", "unit": "money", "thresholds": [500, 4000], "soft_landing": true}}"#,
    r#"{"earn_rules": [{"rate": [1, 2]}], "expiry": {"kind": "days", "n": 12, "from": "available"}, "pending_days": 9,
        "restore_expired": {"kind": "grace", "days": 3}, "velocity": {"max_redemptions": 2, "seconds": 300000}}"#,
    r#"{"earn_rules": [{"rate": [5, 4]}], "expiry": {"kind": "fixed_date", "at": "2025-03-01T00:00:00Z"},
        "redeem_min": 10, "redeem_step": 5, "refund_keep_rounding": "ceil", "stamp_card": {"size": 4}}"#,
    r#"{"earn_rules": [{"rate": [1, 50]}], "expiry": {"kind": "end_of_next_year"},
        "cap": {"kind": "calendar_month", "points": 300},
        "tiers": {"kind": "lifetime", "unit": "points", "thresholds": [20]}, "liability": {"point_value": [2, 1], "urr": [1, 2]}}"#,
];

pub fn programme(which: usize) -> Programme {
    let mut json: serde_json::Value = serde_json::from_str(PROGRAMMES[which]).unwrap();
    json["earn"] = serde_json::json!({"rounding": "half_up", "round_scope": "order"});
    if json["group"].is_null() {
        json["group"] = serde_json::json!({"size": 3, "seconds": 9_000_000, "deposit": 1});
    }
    serde_json::from_value(json).unwrap()
}

pub fn ledger(which: usize) -> Ledger<MemoryStore> {
    Ledger::new(MemoryStore::new(), Rules::new(programme(which)).unwrap())
}

/// The raw material of a command: which verb, who, how much, after how long, upon which earlier command.
pub type Raw = (u8, usize, usize, i64, i64, usize);

fn raw() -> impl Strategy<Value = Raw> {
    let amount = prop_oneof![8 => 1_i64..200, 4 => 200_i64..5000, 1 => -3_i64..1];
    let delay = prop_oneof![2 => Just(0_i64), 4 => 1_i64..90_000, 3 => 90_000_i64..3_000_000];
    (
        any::<u8>(),
        0..3_usize,
        0..3_usize,
        amount,
        delay,
        any::<usize>(),
    )
}

pub fn script(length: usize) -> impl Strategy<Value = Vec<Raw>> {
    proptest::collection::vec(raw(), 1..length)
}

/// The commands of a script, in the order of time.
pub fn commands(script: &[Raw]) -> Vec<Command> {
    let mut at = "2025-01-01".parse::<Timestamp>().unwrap();
    let mut commands: Vec<Command> = Vec::new();
    for raw in script {
        at = at.saturating_add_s(raw.4);
        let action = action(&commands, *raw);
        commands.push(Command::new(format!("c{}", commands.len()), at, action));
    }
    commands
}

/// As [`commands`], for amounts that a time-out could not be made of.
pub fn large_commands(script: &[Raw]) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    let mut at = "2025-01-01".parse::<Timestamp>().unwrap();
    for raw in script {
        at = at.saturating_add_s(raw.4);
        let &(verb, who, other, amount, delay, earlier) = raw;
        let small = (verb, who, other, amount % 1_000_003, delay, earlier);
        let mut action = action(&commands, small);
        match &mut action {
            Action::Earn(earn) => *earn = Earn::money(NAMES[who], amount),
            Action::Redeem(redeem) => redeem.points = Some(Points(amount)),
            Action::Hold(hold) => (hold.points, hold.ttl_s) = (Some(Points(amount)), Some(amount)),
            Action::Adjust(adjust) => adjust.points = Points(amount),
            Action::Refund { money, .. } => *money = Some(amount),
            Action::ReverseRedeem { points, .. }
            | Action::Capture { points, .. }
            | Action::Transfer { points, .. } => *points = Some(Points(amount)),
            Action::Stamp { count, .. } | Action::Unstamp { count, .. } => *count = amount,
            _ => {}
        }
        commands.push(Command::new(format!("c{}", commands.len()), at, action));
    }
    commands
}

/// An earlier command that a verb can refer to, if there is one; sometimes any other.
fn earlier_one(commands: &[Command], verb: u8, earlier: usize) -> CommandId {
    let fits = |command: &&Command| match verb % 26 {
        10 | 11 => matches!(command.action, Action::Redeem(_) | Action::Capture { .. }),
        12 | 13 => matches!(command.action, Action::Earn(_)),
        15 | 16 | 24 => matches!(command.action, Action::Hold(_)),
        _ => matches!(command.action, Action::GroupOpen { .. }),
    };
    let fitting: Vec<&Command> = match earlier % 8 {
        0 => commands.iter().collect(),
        _ => commands.iter().filter(fits).collect(),
    };
    match fitting.len() {
        0 => "nobody".into(),
        n => fitting[earlier / 8 % n].id.clone(),
    }
}

fn action(commands: &[Command], (verb, who, other, amount, _, earlier): Raw) -> Action {
    let account = AccountId::from(NAMES[who]);
    let points = Points(amount);
    let some = (amount % 3 != 0).then_some(points);
    let reference = earlier_one(commands, verb, earlier);
    let purse = if amount % 4 == 0 {
        Purse::Pool(NAMES.map(AccountId::from).to_vec())
    } else {
        Purse::Single(account.clone())
    };
    match verb % 26 {
        0..=4 => Action::Earn(Earn {
            non_qualifying: amount % 5 == 0,
            ..Earn::money(account, amount)
        }),
        5 => Action::Earn(Earn::lines(
            account,
            vec![
                Line {
                    money: amount,
                    category: Some("a".into()),
                },
                Line {
                    money: 7,
                    category: None,
                },
            ],
        )),
        6 => Action::Earn(Earn {
            pending_days: Some(0),
            expires_at: (amount % 2 == 0).then(|| "2025-02-20".parse().unwrap()),
            ..Earn::points(account, points)
        }),
        7..=9 => Action::Redeem(Redeem {
            purse,
            points: some,
        }),
        10 | 11 => Action::ReverseRedeem {
            redemption: reference,
            points: some,
        },
        12 | 13 => Action::Refund {
            order: reference,
            money: some.map(|p| p.0),
        },
        14 | 22 | 23 => Action::Hold(Hold {
            purse,
            points: (amount % 3 != 0).then_some(Points(amount % 100)),
            ttl_s: (amount % 2 == 0).then_some(amount * 40_000),
        }),
        15 | 24 => Action::Capture {
            hold: reference,
            points: (amount % 2 == 0).then_some(Points(amount % 20)),
        },
        16 => Action::Release { hold: reference },
        17 => Action::Adjust(Adjust {
            allow_negative: amount % 2 == 0,
            ..Adjust::points(account, if verb < 128 { points } else { Points(-amount) })
        }),
        18 => Action::Transfer {
            from: account,
            to: NAMES[other].into(),
            points: some,
        },
        19 | 25 => Action::GroupOpen { account },
        20 => Action::GroupJoin {
            account,
            group: reference,
        },
        _ if verb < 128 => Action::Stamp {
            account,
            count: amount,
        },
        _ => Action::Unstamp {
            account,
            count: amount,
        },
    }
}
