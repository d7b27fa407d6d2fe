//! An endless stream of commands for a points ledger: the whole vocabulary, valid and not, from a seed.

use std::collections::VecDeque;

use serde_json::{Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{
    AccountId, Action, Adjust, Basis, Command, CommandId, Earn, Hold, Line, Points, Programme,
    Purse, Rational, Redeem, Rules,
};

/// Programmes that between them use every kind of rule; the last one changes after a month.
pub const PROGRAMMES: usize = 8;

/// The rules of one of the [`PROGRAMMES`].
pub fn rules(which: usize) -> Rules {
    let mut programme = rules_json(which);
    let mut parse = || -> Programme {
        programme["earn"] = json!({"rounding": "half_even", "round_scope": "order"});
        if programme["group"].is_null() {
            programme["group"] = json!({"size": 3, "seconds": 5_000_000, "deposit": 1});
        }
        serde_json::from_value(programme.clone()).unwrap()
    };
    let first = parse();
    if which + 1 < PROGRAMMES {
        return Rules::new(first).unwrap();
    }
    programme = rules_json(0);
    let change = start().saturating_add_s(30 * 86_400);
    let mut second: Value = serde_json::to_value(first.clone()).unwrap();
    second["earn_rules"] = programme["earn_rules"].clone();
    second["redeem_min"] = json!(3);
    let second = serde_json::from_value(second).unwrap();
    Rules::versions(vec![(Timestamp::MIN, first), (change, second)]).unwrap()
}

fn rules_json(which: usize) -> Value {
    match which {
        0 => json!({
            "earn_rules": [{"rate": [1, 4]}, {"rate": [3, 4], "tag": "promo"}],
            "expiry": {"kind": "days", "n": 30}, "transfer_fee": [1, 20], "stamp_card": {"size": 5},
            "group": {"size": 2, "seconds": 2_000_000, "deposit": 2}
        }),
        1 => json!({
            "earn_rules": [{"rate": [1, 7]}], "expiry": {"kind": "months_end", "n": 1}, "pending_days": 5,
            "extend_on_activity": {"months": 1}, "consume": "oldest_first",
            "tiers": {"kind": "anniversary", "unit": "points", "thresholds": [500, 40_000]}
        }),
        2 => json!({
            "earn_rules": [{"rate": [1, 10]}, {"rate": [3, 200], "category": "a", "exclusive": true}],
            "expiry": {"kind": "inactivity", "n": 2}, "restore_expired": {"kind": "grace", "days": 20}
        }),
        3 => json!({
            "earn_rules": [{"rate": [1, 3]}], "clawback": "own_lot_then_debt", "pending_days": 20,
            "cap": {"kind": "sliding", "seconds": 2_000_000, "points": 5000},
            "liability": {"point_value": [1, 3], "urr": [9, 10]}
        }),
        4 => json!({
            "earn_rules": [{"rate": [1, 9], "tier": 0}, {"rate": [2, 9], "tier": 1}],
            "clawback": "own_lot_then_write_off", "expiry": {"kind": "months_exact", "n": 2},
            "refund_keep_rounding": "half_even",
            "tiers": {"kind": "calendar_year", "unit": "money", "thresholds": [500, 40_000], "soft_landing": true}
        }),
        5 => json!({
            "earn_rules": [{"rate": [1, 2]}], "expiry": {"kind": "days", "n": 12, "from": "available"},
            "pending_days": 9, "restore_expired": {"kind": "grace", "days": 3},
            "velocity": {"max_redemptions": 2, "seconds": 1_500_000}
        }),
        6 => json!({
            "earn_rules": [{"rate": [5, 4]}], "expiry": {"kind": "fixed_date", "at": "2025-03-01T00:00:00Z"},
            "redeem_min": 10, "redeem_step": 5, "refund_keep_rounding": "ceil", "stamp_card": {"size": 4}
        }),
        _ => json!({
            "earn_rules": [{"rate": [1, 50]}], "expiry": {"kind": "end_of_next_year"},
            "cap": {"kind": "calendar_month", "points": 300_000},
            "tiers": {"kind": "lifetime", "unit": "points", "thresholds": [2000]},
            "liability": {"point_value": [2, 1], "urr": [1, 2]}, "stamp_card": {"size": 3}
        }),
    }
}

fn start() -> Timestamp {
    "2025-01-01".parse().unwrap()
}

/// The commands, without end. The same seed and number of members give the same commands.
pub struct Stream {
    random: SplitMix,
    members: u64,
    at: Timestamp,
    /// Seconds between two commands, at most.
    pace_s: u64,
    count: u64,
    orders: Names,
    redemptions: Names,
    holds: Names,
    groups: Names,
    recent: VecDeque<Command>,
}

/// Names of the last commands of a kind; what is older is hardly ever referred to.
#[derive(Default)]
struct Names(VecDeque<CommandId>);

/// How many earlier commands of a kind are remembered.
const REMEMBERED: usize = 400;

impl Stream {
    /// Commands of some members over about half a year: `expected` says how many will be asked for.
    pub fn new(seed: u64, members: u64, expected: u64) -> Self {
        Self {
            random: SplitMix(seed),
            members,
            at: start(),
            pace_s: (2 * 180 * 86_400 / expected.max(1)).clamp(2, 200_000),
            count: 0,
            orders: Names::default(),
            redemptions: Names::default(),
            holds: Names::default(),
            groups: Names::default(),
            recent: VecDeque::new(),
        }
    }

    /// The instant of the last command that did not go back in time.
    pub fn now(&self) -> Timestamp {
        self.at
    }

    fn member(&mut self) -> AccountId {
        // A fifth of all commands meets at four members.
        let who = match self.random.below(5) {
            0 => self.random.below(4),
            _ => self.random.below(self.members),
        };
        format!("member-{who}").into()
    }

    fn purse(&mut self) -> Purse {
        match self.random.below(12) {
            0 => Purse::Pool((0..3).map(|_| self.member()).collect()),
            1 => {
                let (one, other) = (self.member(), self.member());
                Purse::Pool(vec![one, other])
            }
            _ => Purse::Single(self.member()),
        }
    }

    /// Small and large amounts, sometimes none, negative ones, and such as no account can hold.
    fn amount(&mut self) -> i64 {
        match self.random.below(400) {
            0 => 0,
            1 => -1 - self.random.below(50) as i64,
            2 => i64::MAX - self.random.below(3) as i64,
            3 => i64::MIN + self.random.below(3) as i64,
            4..=60 => 1000 + self.random.below(9000) as i64,
            _ => 1 + self.random.below(300) as i64,
        }
    }

    fn points(&mut self) -> Option<Points> {
        (self.random.below(8) > 0).then(|| Points(self.amount()))
    }

    fn earlier(&mut self, of: fn(&Self) -> &Names) -> CommandId {
        let known = of(self).0.len() as u64;
        if known == 0 || self.random.below(25) == 0 {
            return format!("c{}", self.random.below(self.count + 2)).into();
        }
        // Rather one of the last ones.
        let back = self.random.below(known).min(self.random.below(known));
        let back = back.min(self.random.below(24));
        of(self).0[(known - 1 - back) as usize].clone()
    }

    fn earn(&mut self) -> Action {
        let account = self.member();
        let basis = match self.random.below(10) {
            0 => Basis::Points(Points(self.amount())),
            1 | 2 => Basis::Lines(
                (0..1 + self.random.below(3))
                    .map(|n| Line {
                        money: self.amount(),
                        category: (n == 1).then(|| "a".to_owned()),
                    })
                    .collect(),
            ),
            _ => Basis::Money(10 * self.amount().clamp(i64::MIN / 10, i64::MAX / 10)),
        };
        Action::Earn(Earn {
            basis,
            category: (self.random.below(9) == 0).then(|| "a".to_owned()),
            tags: match self.random.below(9) {
                0 => vec!["promo".to_owned()],
                _ => Vec::new(),
            },
            expires_at: self.sometimes_expires(),
            pending_days: match self.random.below(12) {
                0 => Some(self.random.below(4) as u32),
                _ => None,
            },
            non_qualifying: self.random.below(12) == 0,
            ..Earn::money(account, 0)
        })
    }

    fn sometimes_expires(&mut self) -> Option<Timestamp> {
        let days = self.random.below(60) as i64 - 2;
        (self.random.below(20) == 0).then(|| self.at.saturating_add_s(days * 86_400))
    }

    fn action(&mut self) -> Action {
        match self.random.below(64) {
            0..=20 => self.earn(),
            21..=28 => Action::Redeem(Redeem {
                purse: self.purse(),
                points: self.points(),
            }),
            29..=32 => Action::ReverseRedeem {
                redemption: self.earlier(|s| &s.redemptions),
                points: self.points(),
            },
            33..=37 => Action::Refund {
                order: self.earlier(|s| &s.orders),
                money: (self.random.below(3) > 0).then(|| self.amount()),
            },
            38..=42 => Action::Hold(Hold {
                purse: self.purse(),
                points: self.points(),
                ttl_s: match self.random.below(4) {
                    0 => None,
                    1 => Some(self.amount()),
                    _ => Some(1 + self.random.below(60 * self.pace_s) as i64),
                },
            }),
            43..=45 => Action::Capture {
                hold: self.earlier(|s| &s.holds),
                points: self.points(),
            },
            46 => Action::Release {
                hold: self.earlier(|s| &s.holds),
            },
            47..=50 => Action::Adjust(Adjust {
                account: self.member(),
                points: Points(match self.random.below(2) {
                    0 => self.amount(),
                    _ => self.amount().saturating_neg(),
                }),
                expires_at: self.sometimes_expires(),
                allow_negative: self.random.below(3) == 0,
            }),
            51..=54 => Action::Transfer {
                from: self.member(),
                to: self.member(),
                points: self.points(),
            },
            55 => Action::GroupOpen {
                account: self.member(),
            },
            56..=58 => Action::GroupJoin {
                account: self.member(),
                group: self.earlier(|s| &s.groups),
            },
            59..=61 => Action::Stamp {
                account: self.member(),
                count: self.amount(),
            },
            62 => Action::Unstamp {
                account: self.member(),
                count: self.amount(),
            },
            _ => Action::SetUrr {
                urr: Rational::new(self.random.below(12) as i64, 10).unwrap(),
            },
        }
    }

    /// A command that was sent before: the same once more, or another one under its name.
    fn again(&mut self) -> Option<Command> {
        let which = self.random.below(self.recent.len().max(1) as u64) as usize;
        let mut command = self.recent.get(which)?.clone();
        match self.random.below(4) {
            0 => command.action = self.action(),
            1 => command.at = self.at,
            _ => {}
        }
        Some(command)
    }

    fn remember(&mut self, command: &Command) {
        let names = match command.action {
            Action::Earn(_) => Some(&mut self.orders),
            Action::Redeem(_) | Action::Capture { .. } => Some(&mut self.redemptions),
            Action::Hold(_) => Some(&mut self.holds),
            Action::GroupOpen { .. } => Some(&mut self.groups),
            _ => None,
        };
        if let Some(Names(names)) = names {
            names.push_back(command.id.clone());
            if names.len() > REMEMBERED {
                names.pop_front();
            }
        }
        self.recent.push_back(command.clone());
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
    }
}

impl Iterator for Stream {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        if self.random.below(40) == 0
            && let Some(command) = self.again()
        {
            return Some(command);
        }
        self.at = self
            .at
            .saturating_add_s(self.random.below(self.pace_s) as i64);
        let at = match self.random.below(200) {
            0 => self
                .at
                .saturating_add_s(-(self.random.below(900_000) as i64)),
            _ => self.at,
        };
        let action = self.action();
        let command = Command::new(format!("c{}", self.count), at, action);
        self.count += 1;
        self.remember(&command);
        Some(command)
    }
}

/// The generator of random numbers of Steele, Lea and Flood (2014).
pub struct SplitMix(pub u64);

impl SplitMix {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
