//! The fields of every type that is written, in their order, and the tags of every choice.
//!
//! A tag is for ever: a new variant gets a new one, and one that is given up is not used again.

use super::super::command::{Action, Adjust, Basis, Earn, Hold, Line, Purse, Redeem};
use super::super::deed::{Deed, Digest, Group, GroupState, Order, Part, Subject};
use super::super::entry::{Change, Entry};
use super::super::lot::{LotNumber, Pot, Take};
use super::super::member::{Card, HoldShare, Term};
use super::super::names::{AccountId, CommandId};
use super::super::points::Points;
use super::super::rational::Rational;
use super::super::receipt::{Receipt, Restoration, Restored};
use super::super::states::{Books, Record};
use super::WireError;
use super::bytes::{Reader, Wire, Writer};
use crate::event::Timestamp;

macro_rules! fields {
    ($name:ident { $($field:tt),+ }) => {
        impl Wire for $name {
            fn write(&self, to: &mut Writer<'_>) {
                $(self.$field.write(to);)+
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
                Ok(Self { $($field: Wire::read(from)?),+ })
            }
        }
    };
}

macro_rules! choice {
    ($name:ident $of:literal {
        $($tag:literal $variant:ident $(($($item:ident),+))? $({$($field:ident),*})?;)+
    }) => {
        impl Wire for $name {
            fn write(&self, to: &mut Writer<'_>) {
                match self {
                    $($name::$variant $(($($item),+))? $({$($field),*})? => {
                        to.byte($tag);
                        $($($item.write(to);)+)?
                        $($($field.write(to);)*)?
                    })+
                }
            }

            fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
                match from.byte()? {
                    $($tag => {
                        $($(let $item = Wire::read(from)?;)+)?
                        $($(let $field = Wire::read(from)?;)*)?
                        Ok($name::$variant $(($($item),+))? $({$($field),*})?)
                    })+
                    found => Err(from.no_tag($of, found)),
                }
            }
        }
    };
}

fields!(Points { 0 });
fields!(LotNumber { 0 });
fields!(Term { tier, since, until });
fields!(Card { stamps, rewards });
fields!(Books { urr });
fields!(HoldShare { hold, until, parts });
fields!(Group {
    deadline,
    members,
    formed
});
fields!(Line { money, category });
fields!(Redeem { purse, points });
fields!(Hold {
    purse,
    points,
    ttl_s
});
fields!(Adjust {
    account,
    points,
    expires_at,
    allow_negative
});
fields!(Earn {
    account,
    basis,
    category,
    tags,
    expires_at,
    pending_days,
    non_qualifying
});

choice!(Pot "pot" {
    0 Issued;
    1 Pending;
    2 Available;
    3 Held;
    4 Redeemed;
    5 Expired;
    6 ClawedBack;
    7 Transfer;
    8 Debt;
    9 WrittenOff;
});

choice!(GroupState "state of a team" {
    0 Open;
    1 Formed;
    2 Failed;
});

choice!(Restoration "restoration" {
    0 Restored;
    1 Expired;
    2 Reissued;
});

choice!(Basis "basis of an order" {
    0 Money(minor);
    1 Lines(lines);
    2 Points(points);
});

choice!(Purse "purse" {
    0 Single(account);
    1 Pool(accounts);
});

choice!(Action "action" {
    0 Earn(earn);
    1 Redeem(redeem);
    2 ReverseRedeem { redemption, points };
    3 Refund { order, money };
    4 Hold(hold);
    5 Capture { hold, points };
    6 Release { hold };
    7 Adjust(adjust);
    8 Transfer { from, to, points };
    9 GroupOpen { account };
    10 GroupJoin { account, group };
    11 Stamp { account, count };
    12 Unstamp { account, count };
    13 SetUrr { urr };
});

choice!(Receipt "receipt" {
    0 Earned { points, lot, capped };
    1 Redeemed { consumed };
    2 Reversed { restored };
    3 Refunded { clawed, absorbed_by_expiry, debt_added, written_off };
    4 Held { reserved };
    5 Captured { consumed, released };
    6 Released { released };
    7 Given { lot };
    8 Taken { consumed };
    9 Transferred { moved, received, fee };
    10 Joined { state, members };
    11 Stamped { stamps, rewards, new_rewards };
    12 Unstamped { stamps, rewards };
    13 Noted {};
});

choice!(Subject "subject" {
    0 None;
    1 Order(order);
    2 Redemption { parts };
    3 Hold { parts, until, closed };
    4 Group(group);
});

choice!(Change "change" {
    0 Joined { account };
    1 Opened { account, lot, from, points, earned_at, available_at, expires_at };
    2 Moved { account, lot, from, to, points };
    3 Matured { account, lot, points };
    4 Owed { account, by, points };
    5 Redated { account, expires_at, only_later };
    6 HoldOpened { account, hold, until, parts };
    7 HoldClosed { account, hold };
    8 Counted { account, points, since };
    9 Limited { account, since };
    10 Qualified { account, period, amount, since };
    11 Ranked { account, term };
    12 Deferred { account, allocated, issued };
    13 Stamped { account, card };
    14 Expected { urr };
    15 Amended { deed, subject };
    16 Done { id, deed };
});

choice!(Record "record" {
    0 Member(member);
    1 Deed(deed);
    2 Books(books);
});

impl Wire for AccountId {
    fn write(&self, to: &mut Writer<'_>) {
        to.text(self.as_str());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.text().map(Self::from)
    }
}

impl Wire for CommandId {
    fn write(&self, to: &mut Writer<'_>) {
        to.text(self.as_str());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.text().map(Self::from)
    }
}

impl Wire for Digest {
    fn write(&self, to: &mut Writer<'_>) {
        to.bytes(&self.0);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let bytes = from.bytes(Self::BYTES)?;
        let bytes = bytes.try_into().map_err(|_| from.wrong("a digest"))?;
        Ok(Self(bytes))
    }
}

impl Wire for Rational {
    fn write(&self, to: &mut Writer<'_>) {
        self.num().write(to);
        to.unsigned(self.den().unsigned_abs());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        const WRONG: &str = "a denominator is not above 0, or leaves 63 bits";
        let (num, den) = (i64::read(from)?, from.not_negative(WRONG)?);
        Self::new(num, den).map_err(|_| from.wrong(WRONG))
    }
}

/// Points that are never negative where they stand.
fn write_count(points: Points, to: &mut Writer<'_>) {
    to.unsigned(points.0.cast_unsigned());
}

fn read_count(from: &mut Reader<'_>) -> Result<Points, WireError> {
    from.not_negative("points are negative").map(Points)
}

impl Wire for Take {
    fn write(&self, to: &mut Writer<'_>) {
        self.lot.write(to);
        write_count(self.points, to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            lot: Wire::read(from)?,
            points: read_count(from)?,
        })
    }
}

impl Wire for Restored {
    fn write(&self, to: &mut Writer<'_>) {
        self.lot.write(to);
        write_count(self.points, to);
        self.how.write(to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            lot: Wire::read(from)?,
            points: read_count(from)?,
            how: Wire::read(from)?,
        })
    }
}

impl Wire for Part {
    fn write(&self, to: &mut Writer<'_>) {
        self.account.write(to);
        self.lot.write(to);
        write_count(self.points, to);
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            account: Wire::read(from)?,
            lot: Wire::read(from)?,
            points: read_count(from)?,
        })
    }
}

impl Wire for Order {
    fn write(&self, to: &mut Writer<'_>) {
        self.account.write(to);
        to.unsigned(self.money.cast_unsigned());
        to.unsigned(self.refunded.cast_unsigned());
        write_count(self.points, to);
        write_count(self.kept, to);
        self.lot.write(to);
        write_count(self.absorbed, to);
        self.qualifying.write(to);
        to.unsigned(self.allocated_first.cast_unsigned());
        to.unsigned(self.allocated.cast_unsigned());
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        const MONEY: &str = "money of an order is negative";
        let order = Self {
            account: Wire::read(from)?,
            money: from.not_negative(MONEY)?,
            refunded: from.not_negative(MONEY)?,
            points: read_count(from)?,
            kept: read_count(from)?,
            lot: Wire::read(from)?,
            absorbed: read_count(from)?,
            qualifying: Wire::read(from)?,
            allocated_first: from.not_negative(MONEY)?,
            allocated: from.not_negative(MONEY)?,
        };
        if order.refunded > order.money || order.kept > order.points {
            return Err(from.wrong("more of an order was taken back than there was"));
        }
        Ok(order)
    }
}

impl Wire for Deed {
    fn write(&self, to: &mut Writer<'_>) {
        to.counted_from(self.at, |to| {
            self.digest.write(to);
            self.receipt.write(to);
            self.subject.write(to);
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.counted_from(|from, at| {
            Ok(Self {
                at,
                digest: Wire::read(from)?,
                receipt: Wire::read(from)?,
                subject: Wire::read(from)?,
            })
        })
    }
}

/// How an entry begins: without a command, with one, or as the last entry of one, which is not named twice.
const TIME: u8 = 0;
const COMMAND: u8 = 1;
const DONE: u8 = 2;

/// The last entry of a command.
pub(super) fn write_done(at: Timestamp, id: &CommandId, deed: &Deed, to: &mut Writer<'_>) {
    to.byte(DONE);
    to.counted_from(at, |to| {
        id.write(to);
        deed.write(to);
    });
}

impl Wire for Entry {
    fn write(&self, to: &mut Writer<'_>) {
        match (&self.command, &self.change) {
            (Some(command), Change::Done { id, deed }) if command == id => {
                write_done(self.at, id, deed, to);
            }
            (command, change) => {
                to.byte(if command.is_some() { COMMAND } else { TIME });
                to.counted_from(self.at, |to| {
                    if let Some(command) = command {
                        command.write(to);
                    }
                    change.write(to);
                });
            }
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let head = from.byte()?;
        if head > DONE {
            return Err(from.no_tag("entry", head));
        }
        from.counted_from(|from, at| {
            let command: Option<CommandId> = match head {
                TIME => None,
                _ => Some(Wire::read(from)?),
            };
            if let (DONE, Some(id)) = (head, &command) {
                let change = Change::Done {
                    id: id.clone(),
                    deed: Wire::read(from)?,
                };
                return Ok(Self {
                    at,
                    command,
                    change,
                });
            }
            let change = Change::read(from)?;
            match (&command, &change) {
                (Some(command), Change::Done { id, .. }) if command == id => {
                    Err(from.wrong("the last entry of a command names it twice"))
                }
                _ => Ok(Self {
                    at,
                    command,
                    change,
                }),
            }
        })
    }
}
