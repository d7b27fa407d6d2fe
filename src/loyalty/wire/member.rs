//! Members, as bytes.

use super::super::member::{Member, More};
use super::super::points::Points;
use super::WireError;
use super::bytes::{Reader, Wire, Writer};

impl Wire for Member {
    fn write(&self, to: &mut Writer<'_>) {
        to.counted_from(self.as_of, |to| {
            self.joined.write(to);
            self.lots.write(to);
            let more = self.more();
            to.unsigned(more.debt.0.cast_unsigned());
            to.unsigned(more.written_off.0.cast_unsigned());
            more.holds.write(to);
            more.recent_grants.write(to);
            more.recent_redemptions.write(to);
            more.qualified.write(to);
            more.term.write(to);
            more.allocated.write(to);
            more.issued.write(to);
            more.card.write(to);
        });
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        const DEBT: &str = "a debt is negative";
        from.counted_from(|from, as_of| {
            let mut member = Self {
                as_of,
                joined: Wire::read(from)?,
                lots: Wire::read(from)?,
                ..Self::unknown()
            };
            *member.more_mut() = More {
                debt: from.not_negative(DEBT).map(Points)?,
                written_off: from.not_negative(DEBT).map(Points)?,
                holds: Wire::read(from)?,
                recent_grants: Wire::read(from)?,
                recent_redemptions: Wire::read(from)?,
                qualified: Wire::read(from)?,
                term: Wire::read(from)?,
                allocated: Wire::read(from)?,
                issued: Wire::read(from)?,
                card: Wire::read(from)?,
            };
            member.tidy();
            let qualified = &member.more().qualified;
            if !qualified.is_sorted_by(|(a, _), (b, _)| a < b) {
                return Err(from.wrong("what counts towards tiers is out of order"));
            }
            for lot in member.lots.iter() {
                let sums = member.granted.checked_add(lot.granted);
                let sums = sums.zip(member.available.checked_add(lot.usable()));
                (member.granted, member.available) =
                    sums.ok_or(from.wrong("the points of a member leave 64 bits"))?;
            }
            Ok(member)
        })
    }
}
