//! What falls due: hold time-outs, expiries, maturities, repayments, the end of a tier.

use smallvec::SmallVec;

use super::super::entry::Change;
use super::super::lot::Pot;
use super::super::member::Member;
use super::super::names::CommandId;
use super::super::points::Points;
use super::super::refusal::Refusal;
use super::draft::{Draft, Usable, Who};
use super::tier;
use crate::event::Timestamp;

/// What falls due at one instant, most often one thing.
type Due<T> = SmallVec<[T; 2]>;

impl Draft<'_> {
    /// Lets everything happen that is due up to now, for all members at hand.
    pub(super) fn all_fall_due(&mut self) -> Result<(), Refusal> {
        self.at_hand().try_for_each(|who| self.fall_due(who))
    }

    /// Lets everything happen that is due up to now, in the order of time; at one instant first hold
    /// time-outs, then expiries, then maturities, then what repays a debt.
    fn fall_due(&mut self, who: Who) -> Result<(), Refusal> {
        let ruling = self.programme;
        let debt = loop {
            let member = self.member(who);
            let Some(due) = next_due(member).filter(|due| *due <= self.now) else {
                break member.debt();
            };
            // Shielded points expire when their hold closes, not in the past.
            let at = due.max(member.as_of());
            self.programme = self.rules.at(at).unwrap_or(ruling);
            self.time_out(who, at)?;
            self.expire_and_mature(who, at)?;
            self.repay(who, at)?;
            tier::end_term(self, who, at)?;
        };
        self.programme = ruling;
        // Nearly always nothing is owed.
        match debt {
            Points::ZERO => Ok(()),
            _ => self.repay(who, self.now),
        }
    }

    fn time_out(&mut self, who: Who, at: Timestamp) -> Result<(), Refusal> {
        let due: Due<CommandId> = self
            .member(who)
            .more()
            .holds
            .iter()
            .filter(|share| share.until.is_some_and(|until| until <= at))
            .map(|share| share.hold.clone())
            .collect();
        for hold in due {
            self.close_share(who, &hold, at, Pot::Available)?;
        }
        Ok(())
    }

    /// Ends the member's part of a hold; its points go to one pot.
    pub(super) fn close_share(
        &mut self,
        who: Who,
        hold: &CommandId,
        at: Timestamp,
        to: Pot,
    ) -> Result<(), Refusal> {
        let share = &self.member(who).more().holds;
        let share = share.iter().find(|share| share.hold == *hold);
        for part in share.map_or_else(Vec::new, |share| share.parts.clone()) {
            self.move_points_at(at, who, part.lot, (Pot::Held, to), part.points)?;
        }
        self.post_at(at, who, |account| Change::HoldClosed {
            account,
            hold: hold.clone(),
        })
    }

    /// Ends the time of free points, and the waiting for them; what expires at the very instant of its
    /// maturity is no longer there to be used.
    fn expire_and_mature(&mut self, who: Who, at: Timestamp) -> Result<(), Refusal> {
        let (mut expiring, mut maturing) = (Due::new(), Due::new());
        self.member(who).lots.each_due(at, |lot| {
            let mut points = lot.free;
            if points.0 > 0 && lot.is_expired(at) {
                let from = match lot.pending {
                    true => Pot::Pending,
                    false => Pot::Available,
                };
                expiring.push((lot.number, from, points));
                points = Points::ZERO;
            }
            if lot.pending && lot.available_at <= at {
                maturing.push((lot.number, points));
            }
        });
        for (lot, from, points) in expiring {
            self.move_points_at(at, who, lot, (from, Pot::Expired), points)?;
        }
        for (lot, points) in maturing {
            self.post_at(at, who, |account| Change::Matured {
                account,
                lot,
                points,
            })?;
        }
        Ok(())
    }

    /// Usable points repay a debt at once, in the order of consumption.
    fn repay(&mut self, who: Who, at: Timestamp) -> Result<(), Refusal> {
        let mut debt = self.member(who).debt().0;
        if debt == 0 {
            return Ok(());
        }
        for Usable {
            who, lot, points, ..
        } in self.usable(&[who])
        {
            let points = Points(debt.min(points.0));
            if points.0 == 0 {
                break;
            }
            debt -= points.0;
            self.move_points_at(at, who, lot, (Pot::Available, Pot::Debt), points)?;
        }
        Ok(())
    }
}

/// The earliest instant at which something falls due.
fn next_due(member: &Member) -> Option<Timestamp> {
    let lots = member.lots.next_due();
    let Some(more) = &member.more else {
        return lots;
    };
    let holds = more.holds.iter().filter_map(|share| share.until);
    let term = more.term.map(|term| term.until);
    holds.chain(lots).chain(term).min()
}
