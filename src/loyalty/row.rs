//! A lot in little memory.

use super::lot::{Lot, LotNumber};
use super::points::Points;
use crate::event::{DAY_S, Timestamp};

/// A lot in 32 bytes, if it is like most; in a box of its own otherwise. Nothing is lost.
#[derive(Debug, Clone)]
pub(crate) enum Row {
    Narrow(Narrow),
    Wide(Box<Lot>),
}

/// A lot of which no points were taken back or transferred, all numbers below 2³², all instants between
/// 1970 and 2106.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Narrow {
    pending: bool,
    /// From the earning until the points can be used.
    wait_days: u16,
    number: u32,
    free: u32,
    held: u32,
    spent: u32,
    expired: u32,
    earned_at_s: u32,
    /// 0 for never: what expires in 1970 is wide.
    expires_at_s: u32,
}

impl Row {
    pub(crate) fn number(&self) -> LotNumber {
        match self {
            Row::Narrow(narrow) => LotNumber(u64::from(narrow.number)),
            Row::Wide(lot) => lot.number,
        }
    }

    /// Whether the lot has free or held points, or has not matured.
    pub(crate) fn is_open(&self) -> bool {
        match self {
            Row::Narrow(narrow) => narrow.free > 0 || narrow.held > 0 || narrow.pending,
            Row::Wide(lot) => lot.free.0 > 0 || lot.held.0 > 0 || lot.pending,
        }
    }

    /// Whether there are points that can be used at once.
    pub(crate) fn has_usable(&self) -> bool {
        match self {
            Row::Narrow(narrow) => narrow.free > 0 && !narrow.pending,
            Row::Wide(lot) => lot.usable().0 > 0,
        }
    }

    /// When its free points expire or it matures, whichever comes first.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        if let Row::Narrow(narrow) = self
            && !narrow.pending
        {
            // Nearly all of them.
            let expires = narrow.free > 0 && narrow.expires_at_s != 0;
            return expires.then(|| instant(narrow.expires_at_s));
        }
        let lot = self.lot();
        let expires_at = lot.expires_at.filter(|_| lot.free.0 > 0);
        let matures_at = lot.pending.then_some(lot.available_at);
        expires_at.into_iter().chain(matures_at).min()
    }

    pub(crate) fn lot(&self) -> Lot {
        match self {
            Row::Narrow(narrow) => narrow.lot(),
            Row::Wide(lot) => **lot,
        }
    }
}

impl From<Lot> for Row {
    fn from(lot: Lot) -> Self {
        match Narrow::of(&lot) {
            Some(narrow) => Row::Narrow(narrow),
            None => Row::Wide(Box::new(lot)),
        }
    }
}

impl Narrow {
    fn of(lot: &Lot) -> Option<Self> {
        let points = |points: Points| u32::try_from(points.0).ok();
        let instant = |at: Timestamp| u32::try_from(at.unix_s()).ok();
        let wait_s = lot.available_at.unix_s() - lot.earned_at.unix_s();
        let narrow = Self {
            pending: lot.pending,
            wait_days: u16::try_from(wait_s / DAY_S).ok()?,
            number: u32::try_from(lot.number.0).ok()?,
            free: points(lot.free)?,
            held: points(lot.held)?,
            spent: points(lot.spent)?,
            expired: points(lot.expired)?,
            earned_at_s: instant(lot.earned_at)?,
            expires_at_s: lot.expires_at.map_or(Some(0), instant)?,
        };
        let whole_days = wait_s % DAY_S == 0;
        let nothing_else = lot.clawed_back == Points::ZERO && lot.moved_out == Points::ZERO;
        let plain = whole_days
            && nothing_else
            && narrow.granted() == lot.granted
            && lot.expires_at != Some(Timestamp::EPOCH);
        plain.then_some(narrow)
    }

    fn granted(&self) -> Points {
        let columns = [self.free, self.held, self.spent, self.expired];
        Points(columns.into_iter().map(i64::from).sum())
    }

    fn lot(&self) -> Lot {
        let points = |points: u32| Points(i64::from(points));
        let earned_at = instant(self.earned_at_s);
        Lot {
            number: LotNumber(u64::from(self.number)),
            granted: self.granted(),
            free: points(self.free),
            held: points(self.held),
            spent: points(self.spent),
            expired: points(self.expired),
            clawed_back: Points::ZERO,
            moved_out: Points::ZERO,
            earned_at,
            available_at: earned_at.saturating_add_s(i64::from(self.wait_days) * DAY_S),
            expires_at: match self.expires_at_s {
                0 => None,
                s => Some(instant(s)),
            },
            pending: self.pending,
        }
    }
}

fn instant(s: u32) -> Timestamp {
    Timestamp::EPOCH.saturating_add_s(i64::from(s))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_row_has_32_bytes() {
        assert_eq!(size_of::<Row>(), 32);
    }

    proptest! {
        #[test]
        fn a_row_is_its_lot(
            number in prop_oneof![0..9_u64, Just(u64::from(u32::MAX)), Just(u64::from(u32::MAX) + 1), Just(u64::MAX)],
            columns in [(); 6].map(|()| prop_oneof![
                4 => Just(0), 2 => 1..9_i64, 1 => Just(i64::from(u32::MAX)), 1 => Just(i64::from(u32::MAX) + 1)
            ]),
            earned in prop_oneof![Just(0), Just(-1), Just(1_700_000_000), Just(i64::from(u32::MAX)), Just(200_000_000_000)],
            wait in prop_oneof![Just(0), Just(14 * DAY_S), Just(14 * DAY_S + 1), Just(-DAY_S), Just(65_536 * DAY_S)],
            expires in prop_oneof![Just(None), Just(Some(0)), Just(Some(1)), Just(Some(1_800_000_000)), Just(Some(-5))],
            pending: bool,
        ) {
            let instant = |s: i64| Timestamp::from_unix_s(s).unwrap();
            let [free, held, spent, expired, clawed_back, moved_out] = columns.map(Points);
            let lot = Lot {
                number: LotNumber(number),
                granted: Points(columns.iter().sum()),
                free,
                held,
                spent,
                expired,
                clawed_back,
                moved_out,
                earned_at: instant(earned),
                available_at: instant(earned + wait),
                expires_at: expires.map(instant),
                pending,
            };
            let row = Row::from(lot);
            prop_assert_eq!(row.lot(), lot);
            prop_assert_eq!(row.number(), lot.number);
            prop_assert_eq!(row.is_open(), free.0 > 0 || held.0 > 0 || pending);
            prop_assert_eq!(row.has_usable(), lot.usable().0 > 0);
            let due = [lot.expires_at.filter(|_| free.0 > 0), pending.then_some(lot.available_at)];
            prop_assert_eq!(row.next_due(), due.into_iter().flatten().min());
        }
    }
}
