//! What falls due: hold time-outs, expiries, maturities, repayments, the end of a tier.

use smallvec::SmallVec;

use super::super::entry::Change;
use super::super::lot::{LotNumber, Pot};
use super::super::member::Member;
use super::super::names::{AccountId, CommandId};
use super::super::points::Points;
use super::super::refusal::Refusal;
use super::draft::Draft;
use super::tier;
use crate::event::Timestamp;

/// What falls due at one instant, most often one thing.
type Due<T> = SmallVec<[T; 2]>;

impl Draft<'_> {
    /// Lets everything happen that is due up to now, in the order of time; at one instant first hold
    /// time-outs, then expiries, then maturities, then what repays a debt.
    pub(super) fn fall_due(&mut self, account: &AccountId) -> Result<(), Refusal> {
        let ruling = self.programme;
        let debt = loop {
            let member = self.member(account);
            let Some(due) = next_due(member).filter(|due| *due <= self.now) else {
                break member.debt();
            };
            // Shielded points expire when their hold closes, not in the past.
            let at = due.max(member.as_of());
            self.programme = self.rules.at(at).unwrap_or(ruling);
            self.time_out(account, at)?;
            self.expire(account, at)?;
            self.mature(account, at)?;
            self.repay(account, at)?;
            tier::end_term(self, account, at)?;
        };
        self.programme = ruling;
        // Nearly always nothing is owed.
        match debt {
            Points::ZERO => Ok(()),
            _ => self.repay(account, self.now),
        }
    }

    fn time_out(&mut self, account: &AccountId, at: Timestamp) -> Result<(), Refusal> {
        let due: Due<CommandId> = self
            .member(account)
            .more()
            .holds
            .iter()
            .filter(|share| share.until.is_some_and(|until| until <= at))
            .map(|share| share.hold.clone())
            .collect();
        for hold in due {
            self.close_share(account, &hold, at, Pot::Available)?;
        }
        Ok(())
    }

    /// Ends the account's part of a hold; its points go to one pot.
    pub(super) fn close_share(
        &mut self,
        account: &AccountId,
        hold: &CommandId,
        at: Timestamp,
        to: Pot,
    ) -> Result<(), Refusal> {
        let share = &self.member(account).more().holds;
        let share = share.iter().find(|share| share.hold == *hold);
        for part in share.map_or_else(Vec::new, |share| share.parts.clone()) {
            self.post_at(
                at,
                Change::Moved {
                    account: account.clone(),
                    lot: part.lot,
                    from: Pot::Held,
                    to,
                    points: part.points,
                },
            )?;
        }
        self.post_at(
            at,
            Change::HoldClosed {
                account: account.clone(),
                hold: hold.clone(),
            },
        )
    }

    fn expire(&mut self, account: &AccountId, at: Timestamp) -> Result<(), Refusal> {
        let lots = self.member(account).lots.due(at);
        let lots = lots.filter(|lot| lot.free.0 > 0 && lot.is_expired(at));
        let due: Due<_> = lots.map(|l| (l.number, l.pending, l.free)).collect();
        for (lot, pending, points) in due {
            let from = if pending {
                Pot::Pending
            } else {
                Pot::Available
            };
            self.post_at(
                at,
                Change::Moved {
                    account: account.clone(),
                    lot,
                    from,
                    to: Pot::Expired,
                    points,
                },
            )?;
        }
        Ok(())
    }

    fn mature(&mut self, account: &AccountId, at: Timestamp) -> Result<(), Refusal> {
        let lots = self.member(account).lots.due(at);
        let lots = lots.filter(|lot| lot.pending && lot.available_at <= at);
        let due: Due<_> = lots.map(|lot| (lot.number, lot.free)).collect();
        for (lot, points) in due {
            self.post_at(
                at,
                Change::Matured {
                    account: account.clone(),
                    lot,
                    points,
                },
            )?;
        }
        Ok(())
    }

    /// Usable points repay a debt at once, in the order of consumption.
    fn repay(&mut self, account: &AccountId, at: Timestamp) -> Result<(), Refusal> {
        let mut debt = self.member(account).debt().0;
        if debt == 0 {
            return Ok(());
        }
        for part in self.usable(std::slice::from_ref(account)) {
            let points = Points(debt.min(part.points.0));
            if points.0 == 0 {
                break;
            }
            debt -= points.0;
            self.post_at(
                at,
                Change::Moved {
                    account: account.clone(),
                    lot: part.lot,
                    from: Pot::Available,
                    to: Pot::Debt,
                    points,
                },
            )?;
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
