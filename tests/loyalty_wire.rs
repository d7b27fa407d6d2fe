//! The bytes of entries and records: pinned, one for each value, and safe to read whatever they are.

use std::fmt::Write;
use std::ops::ControlFlow;

use proptest::prelude::*;
use tenure::event::Timestamp;
use tenure::loyalty::wire::{WireError, decode_entry, decode_record, encode_entry, encode_record};
use tenure::loyalty::{
    Action, Adjust, Basis, Books, Card, Change, Command, Deed, Earn, Entry, Group, GroupState,
    Hold, Ledger, Line, LotNumber, MemoryStore, Order, Part, Points, Pot, Purse, Rational, Receipt,
    Record, Redeem, Restoration, Restored, Rules, Store, Subject, Take, Term,
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_s(1_735_689_600 + seconds).unwrap()
}

fn take(lot: u64, points: i64) -> Take {
    Take {
        lot: LotNumber(lot),
        points: Points(points),
    }
}

fn part(account: &str, lot: u64, points: i64) -> Part {
    Part {
        account: account.into(),
        lot: LotNumber(lot),
        points: Points(points),
    }
}

fn done(action: Action, receipt: Receipt, subject: Subject) -> Change {
    let deed = Deed {
        at: at(0),
        digest: action.digest(),
        receipt,
        subject,
    };
    Change::Done {
        id: "c".into(),
        deed: deed.into(),
    }
}

/// One of each change.
fn changes() -> Vec<Change> {
    let account = || "ann".into();
    let hold = || "h-1".into();
    vec![
        Change::Joined { account: account() },
        Change::Opened {
            account: account(),
            lot: LotNumber(300),
            from: Pot::Issued,
            points: Points(1299),
            earned_at: at(0),
            available_at: at(14 * 86_400),
            expires_at: Some(at(365 * 86_400)),
        },
        Change::Moved {
            account: account(),
            lot: LotNumber(7),
            from: Pot::Available,
            to: Pot::Redeemed,
            points: Points(500),
        },
        Change::Matured {
            account: account(),
            lot: LotNumber(7),
            points: Points(0),
        },
        Change::Owed {
            account: account(),
            by: Pot::Debt,
            points: Points(3),
        },
        Change::Redated {
            account: account(),
            expires_at: at(-1),
            only_later: true,
        },
        Change::HoldOpened {
            account: account(),
            hold: hold(),
            until: Some(at(600)),
            parts: vec![take(7, 100), take(300, 28)],
        },
        Change::HoldClosed {
            account: account(),
            hold: hold(),
        },
        Change::Counted {
            account: account(),
            points: Points(64),
            since: at(-86_400),
        },
        Change::Limited {
            account: account(),
            since: at(-59),
        },
        Change::Qualified {
            account: account(),
            period: Timestamp::EPOCH,
            amount: -1299,
            since: Timestamp::MIN,
        },
        Change::Ranked {
            account: account(),
            term: Some(Term {
                tier: 2,
                since: at(0),
                until: Timestamp::MAX,
            }),
        },
        Change::Deferred {
            account: account(),
            allocated: 17,
            issued: -2,
        },
        Change::Stamped {
            account: account(),
            card: Card {
                stamps: -1,
                rewards: 2,
            },
        },
        Change::Expected {
            urr: Rational::new(9, 10).unwrap(),
        },
        Change::Amended {
            deed: hold(),
            subject: Subject::Hold {
                parts: vec![part("ann", 7, 100)],
                until: None,
                closed: true,
            }
            .into(),
        },
        done(
            Earn::money("ann", 1299).into(),
            Receipt::Noted {},
            Subject::None,
        ),
    ]
}

/// One of each action, receipt and subject.
fn outcomes() -> Vec<Change> {
    let order = Order {
        account: "ann".into(),
        money: 1299,
        refunded: 299,
        points: Points(12),
        kept: Points(10),
        lot: Some(LotNumber(300)),
        absorbed: Points(1),
        qualifying: true,
        allocated_first: 11,
        allocated: 9,
    };
    let group = Group {
        deadline: at(3600),
        members: vec![("ann".into(), "g".into()), ("bob".into(), "j".into())],
        formed: true,
    };
    let lines = |money| Line {
        money,
        category: Some("tea".into()),
    };
    let bare = Earn {
        basis: Basis::Lines(vec![lines(5), lines(0)]),
        category: Some("food".into()),
        tags: vec!["web".into(), "ärger".into()],
        expires_at: Some(at(5)),
        pending_days: Some(u32::MAX),
        non_qualifying: true,
        ..Earn::money("ann", 0)
    };
    let none = || Subject::None;
    let points = Some(Points(5));
    let pool = || Purse::Pool(vec!["ann".into(), "bob".into()]);
    vec![
        done(
            bare.into(),
            Receipt::Earned {
                points: Points(12),
                lot: Some(LotNumber(300)),
                capped: Points(1),
            },
            Subject::Order(order),
        ),
        done(
            Redeem {
                purse: pool(),
                points: None,
            }
            .into(),
            Receipt::Redeemed {
                consumed: vec![take(1, 5), take(2, 6)],
            },
            Subject::Redemption {
                parts: vec![part("ann", 1, 5), part("bob", 2, 6)],
            },
        ),
        done(
            Action::ReverseRedeem {
                redemption: "r".into(),
                points,
            },
            Receipt::Reversed {
                restored: [
                    Restoration::Restored,
                    Restoration::Expired,
                    Restoration::Reissued,
                ]
                .map(|how| Restored {
                    lot: LotNumber(u64::MAX),
                    points: Points(i64::MAX),
                    how,
                })
                .to_vec(),
            },
            none(),
        ),
        done(
            Action::Refund {
                order: "o".into(),
                money: Some(-5),
            },
            Receipt::Refunded {
                clawed: vec![take(9, 1)],
                absorbed_by_expiry: Points(2),
                debt_added: Points(3),
                written_off: Points(4),
            },
            none(),
        ),
        done(
            Hold {
                purse: pool(),
                points,
                ttl_s: Some(900),
            }
            .into(),
            Receipt::Held {
                reserved: vec![take(9, 1)],
            },
            Subject::Hold {
                parts: vec![part("ann", 9, 1)],
                until: Some(at(900)),
                closed: false,
            },
        ),
        done(
            Action::Capture {
                hold: "h".into(),
                points,
            },
            Receipt::Captured {
                consumed: vec![],
                released: Points(1),
            },
            none(),
        ),
        done(
            Action::Release { hold: "h".into() },
            Receipt::Released {
                released: Points(1),
            },
            none(),
        ),
        done(
            Adjust::points("ann", Points(-3)).into(),
            Receipt::Given { lot: LotNumber(1) },
            none(),
        ),
        done(
            Action::Transfer {
                from: "ann".into(),
                to: "bob".into(),
                points,
            },
            Receipt::Transferred {
                moved: vec![take(1, 2)],
                received: vec![take(3, 2)],
                fee: vec![],
            },
            none(),
        ),
        done(
            Action::GroupOpen {
                account: "ann".into(),
            },
            Receipt::Joined {
                state: GroupState::Open,
                members: 1,
            },
            Subject::Group(group),
        ),
        done(
            Action::GroupJoin {
                account: "ann".into(),
                group: "g".into(),
            },
            Receipt::Taken {
                consumed: vec![take(1, 1)],
            },
            none(),
        ),
        done(
            Action::Stamp {
                account: "ann".into(),
                count: 3,
            },
            Receipt::Stamped {
                stamps: 1,
                rewards: 2,
                new_rewards: 1,
            },
            none(),
        ),
        done(
            Action::Unstamp {
                account: "ann".into(),
                count: 3,
            },
            Receipt::Unstamped {
                stamps: -1,
                rewards: 0,
            },
            none(),
        ),
        done(
            Action::SetUrr {
                urr: Rational::new(1, i64::MAX).unwrap(),
            },
            Receipt::Noted {},
            none(),
        ),
    ]
}

fn bytes(entry: &Entry) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_entry(entry, &mut bytes);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Entries of every kind, of a command and of time alone.
fn entries() -> Vec<Entry> {
    let of = |command: Option<&str>| {
        let command = command.map(Into::into);
        changes()
            .into_iter()
            .chain(outcomes())
            .map(move |change| Entry {
                at: at(0),
                command: command.clone(),
                change,
            })
    };
    of(Some("c")).chain(of(None)).chain(of(Some("d"))).collect()
}

/// What journals hold cannot be changed: a difference here is a new version of the form.
#[test]
fn the_bytes_are_those_of_version_1() {
    assert_eq!(tenure::loyalty::wire::FORMAT, 1);
    let actual: Vec<String> = entries().iter().map(bytes).map(|b| hex(&b)).collect();
    let pinned: Vec<&str> = include_str!("golden/loyalty_wire_1.txt").lines().collect();
    assert_eq!(actual, pinned, "{}", actual.join("\n"));
}

#[test]
fn every_kind_is_read_as_it_was_written_and_nothing_less() {
    for entry in entries() {
        let whole = bytes(&entry);
        assert_eq!(decode_entry(&whole), Ok(entry.clone()));
        for end in 0..whole.len() {
            assert!(
                decode_entry(&whole[..end]).is_err(),
                "{entry:?} cut at {end}"
            );
        }
        let longer = [&whole[..], &[0]].concat();
        let at = whole.len();
        assert_eq!(
            decode_entry(&longer),
            Err(WireError::GoesOn { at, left: 1 })
        );
    }
}

#[test]
fn other_bytes_are_other_entries_or_none() {
    for entry in entries() {
        let mut changed = bytes(&entry);
        for place in 0..changed.len() {
            for flip in 1..=255_u8 {
                changed[place] ^= flip;
                if let Ok(other) = decode_entry(&changed) {
                    assert_ne!(other, entry);
                    assert_eq!(bytes(&other), changed, "{other:?}");
                }
                changed[place] ^= flip;
            }
        }
    }
}

/// Records of members and commands with everything in them that a ledger keeps.
fn records() -> Vec<Record> {
    let programme = r#"{
        "earn": {"rounding": "floor", "round_scope": "order"}, "earn_rules": [{"rate": [1, 2]}],
        "expiry": {"kind": "days", "n": 30}, "pending_days": 1,
        "cap": {"kind": "calendar_month", "points": 100000}, "velocity": {"max_redemptions": 9, "seconds": 900},
        "tiers": {"kind": "anniversary", "unit": "points", "thresholds": [50]}, "stamp_card": {"size": 4},
        "liability": {"point_value": [1, 3], "urr": [9, 10]}, "group": {"size": 3, "seconds": 9000, "deposit": 1}
    }"#;
    let programme = serde_json::from_str(programme).unwrap();
    let ledger = Ledger::new(MemoryStore::new(), Rules::new(programme).unwrap());
    let day = 86_400;
    let commands: Vec<(i64, Action)> = vec![
        (0, Earn::money("ann", 1000).into()),
        (1, Earn::money("ann", 2000).into()),
        (2 * day, Redeem::points("ann", Points(200)).into()),
        (2 * day, Hold::points("ann", Points(900), Some(600)).into()),
        (
            2 * day,
            Action::GroupOpen {
                account: "ann".into(),
            },
        ),
        (
            2 * day,
            Action::Stamp {
                account: "bob".into(),
                count: 9,
            },
        ),
        (
            2 * day,
            Action::Refund {
                order: "c0".into(),
                money: None,
            },
        ),
        (
            2 * day,
            Action::SetUrr {
                urr: Rational::new(1, 2).unwrap(),
            },
        ),
        (40 * day, Earn::money("ann", 2).into()),
    ];
    for (number, (when, action)) in commands.into_iter().enumerate() {
        let command = Command::new(format!("c{number}"), at(when), action);
        ledger.submit(command).unwrap();
    }
    let mut records = Vec::new();
    ledger
        .store()
        .records(&mut |_, record| {
            records.push(record.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    records
}

#[test]
fn records_are_read_as_they_were_written_and_damaged_ones_are_not_trusted() {
    let records = records();
    assert!(records.contains(&Record::Books(Books {
        urr: Some(Rational::new(1, 2).unwrap())
    })));
    for record in records {
        let mut whole = Vec::new();
        encode_record(&record, &mut whole);
        assert_eq!(decode_record(&whole), Ok(record.clone()));
        for end in 0..whole.len() {
            assert!(decode_record(&whole[..end]).is_err(), "{record:?}");
        }
        for place in 0..whole.len() {
            for flip in 1..=255_u8 {
                whole[place] ^= flip;
                if let Ok(other) = decode_record(&whole) {
                    assert_ne!(other, record);
                    let mut again = Vec::new();
                    encode_record(&other, &mut again);
                    assert_eq!(again, whole);
                }
                whole[place] ^= flip;
            }
        }
    }
}

#[test]
fn a_command_of_another_body_has_another_digest() {
    let digest = |action: Action| action.digest();
    let earn = digest(Earn::money("ann", 1299).into());
    assert_eq!(earn, digest(Earn::money("ann", 1299).into()));
    assert_ne!(earn, digest(Earn::money("ann", 1298).into()));
    assert_ne!(earn, digest(Earn::points("ann", Points(1299)).into()));
    let text = serde_json::to_string(&earn).unwrap();
    assert_eq!(
        serde_json::from_str::<tenure::loyalty::Digest>(&text).unwrap(),
        earn
    );
    for wrong in ["", "00", "zz", "é"] {
        let text = serde_json::to_string(&wrong.repeat(16)).unwrap();
        let read = serde_json::from_str::<tenure::loyalty::Digest>(&text);
        assert_eq!(read.is_ok(), wrong == "00", "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), 0..3_u8], 0..80), head in 0..3_u8
    ) {
        let bytes = [&[head][..], &bytes].concat();
        let _ = decode_record(&bytes);
        if let Ok(entry) = decode_entry(&bytes) {
            prop_assert_eq!(self::bytes(&entry), bytes);
        }
    }
}
