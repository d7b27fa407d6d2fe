//! Jobs of the points ledger: a million commands of a hundred thousand members.

use serde_json::{Value, json};
use tenure::event::Timestamp;
use tenure::loyalty::{
    Action, Command, CommandId, Earn, Hold, Ledger, MemoryStore, Points, Programme, Redeem, Rules,
    Store,
};

use super::Setting;
use super::measure::{Measured, best_of};
use super::splitmix::uniform;

const COMMANDS: usize = 1_000_000;
const MEMBERS: f64 = 100_000.0;
/// One command a minute: the million are about two years, and points expire after half a year.
const PACE_S: i64 = 60;

/// A million commands, one after the other, on one thread and in memory.
pub fn memory(setting: &Setting) -> Result<Measured, String> {
    in_memory(setting, |ledger, commands| {
        let results = commands.into_iter().map(|command| ledger.submit(command));
        results.filter(Result::is_err).count()
    })
}

/// The same, a thousand handed over at a time.
pub fn memory_b1000(setting: &Setting) -> Result<Measured, String> {
    in_memory(setting, |ledger, commands| {
        let mut refused = 0;
        for batch in commands.chunks(1000) {
            let results = ledger.submit_batch(batch).expect("memory does not fail");
            refused += results.iter().filter(|result| result.is_err()).count();
        }
        refused
    })
}

/// `submit` says how many commands were refused.
fn in_memory(
    setting: &Setting,
    submit: impl Fn(&Ledger<MemoryStore>, Vec<Command>) -> usize,
) -> Result<Measured, String> {
    let commands: Vec<Command> = Mix::new().take(COMMANDS).collect();
    let fresh = || (Ledger::new(MemoryStore::new(), rules()), commands.clone());
    let work = |(ledger, commands): (Ledger<MemoryStore>, Vec<Command>)| {
        let refused = submit(&ledger, commands);
        Ok((ledger, refused))
    };
    let check =
        |(ledger, refused): (Ledger<MemoryStore>, usize)| totals(&ledger, COMMANDS, refused);
    best_of(setting.repeat, COMMANDS, fresh, work, check)
}

/// The rules: a point for each 1.00, usable for 180 days.
pub fn rules() -> Rules {
    let programme: Programme = serde_json::from_value(json!({
        "earn": {"rounding": "floor", "round_scope": "order"},
        "earn_rules": [{"rate": [1, 100]}],
        "expiry": {"kind": "days", "n": 180}
    }))
    .expect("a programme");
    Rules::new(programme).expect("rules without a contradiction")
}

fn instant(command: usize) -> Timestamp {
    let start: Timestamp = "2025-01-01".parse().expect("a day");
    start.saturating_add_s(command as i64 * PACE_S)
}

/// The mix, without end: 55% earn, 25% redeem, 12% hold (two days), 8% capture what the member holds, or
/// redeem where that is nothing.
pub struct Mix {
    next: usize,
    holds: Vec<Option<CommandId>>,
}

impl Mix {
    pub fn new() -> Self {
        Self {
            next: 0,
            holds: vec![None; MEMBERS as usize],
        }
    }

    /// Which member the command of a number is about.
    pub fn member(number: usize) -> usize {
        (uniform(31, number as u64) * MEMBERS) as usize
    }
}

impl Iterator for Mix {
    type Item = Command;

    fn next(&mut self) -> Option<Command> {
        let number = self.next;
        self.next += 1;
        let amount = uniform(32, number as u64);
        let member = Self::member(number);
        let hold = self.holds.get_mut(member)?;
        let account = format!("m{member}");
        let id = CommandId::from(format!("c{number}"));
        let points = |most: f64| Points(1 + (amount * most) as i64);
        let redeem = || Redeem::points(account.as_str(), points(20.0));
        let action: Action = match uniform(33, number as u64) {
            verb if verb < 0.55 => {
                let minor = 100 + (amount.powi(3) * 20_000.0) as i64;
                Earn::money(account, minor).into()
            }
            verb if verb < 0.80 => redeem().into(),
            verb if verb < 0.92 => {
                *hold = Some(id.clone());
                Hold::points(account, points(10.0), Some(172_800)).into()
            }
            _ => match hold.take() {
                Some(hold) => Action::Capture { hold, points: None },
                None => redeem().into(),
            },
        };
        Some(Command::new(id, instant(number), action))
    }
}

/// What lets anyone see that the same work was done.
pub fn totals<S: Store>(ledger: &Ledger<S>, commands: usize, refused: usize) -> Value {
    let now = instant(commands);
    let snapshot = ledger.snapshot(now).expect("a snapshot");
    let accounts = snapshot.accounts.values();
    let mut sums = [0_i64; 5];
    for account in accounts {
        let columns = [
            account.granted,
            account.available,
            account.held,
            account.spent,
            account.expired,
        ];
        for (sum, column) in sums.iter_mut().zip(columns) {
            *sum += column.0;
        }
    }
    let [granted, available, held, spent, expired] = sums;
    assert_eq!(
        granted,
        available + held + spent + expired,
        "the books balance"
    );
    json!({
        "members": snapshot.accounts.len(), "refused": refused, "granted": granted,
        "available": available, "held": held, "spent": spent, "expired": expired,
    })
}
