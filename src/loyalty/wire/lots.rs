//! Lots, as bytes: a few for each, as most of a lot's columns are 0 and its instants lie close together.

use super::super::lot::{Lot, LotNumber};
use super::super::lots::Lots;
use super::super::points::Points;
use super::WireError;
use super::bytes::{Reader, Wire, Writer};
use crate::event::Timestamp;

const PENDING: u8 = 1;
const EXPIRES: u8 = 2;
/// The flag of the first column; those of the others follow.
const COLUMN: u8 = 4;

/// The columns that add up to what was granted.
fn columns(lot: &Lot) -> [Points; 6] {
    [
        lot.free,
        lot.held,
        lot.spent,
        lot.expired,
        lot.clawed_back,
        lot.moved_out,
    ]
}

impl Wire for Lots {
    fn write(&self, to: &mut Writer<'_>) {
        to.unsigned(self.iter().count() as u64);
        let mut before = None;
        for lot in self.iter() {
            write_lot(&lot, before, to);
            before = Some(lot.number);
        }
    }

    fn read(from: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut lots = Self::new();
        let mut before = None;
        for _ in 0..from.count()? {
            let lot = read_lot(before, from)?;
            before = Some(lot.number);
            lots.insert(lot);
        }
        Ok(lots)
    }
}

/// The number is the distance to the one before it, and ascending.
fn write_lot(lot: &Lot, before: Option<LotNumber>, to: &mut Writer<'_>) {
    let mut flags = 0;
    flags |= if lot.pending { PENDING } else { 0 };
    flags |= if lot.expires_at.is_some() { EXPIRES } else { 0 };
    for (position, points) in columns(lot).into_iter().enumerate() {
        flags |= if points.0 != 0 { COLUMN << position } else { 0 };
    }
    to.byte(flags);
    let first = before.map_or(0, |before| before.0.wrapping_add(1));
    to.unsigned(lot.number.0.wrapping_sub(first));
    for points in columns(lot).into_iter().filter(|points| points.0 != 0) {
        to.unsigned(points.0.cast_unsigned());
    }
    to.counted_from(lot.earned_at, |to| {
        lot.available_at.write(to);
        if let Some(expires_at) = lot.expires_at {
            expires_at.write(to);
        }
    });
}

fn read_lot(before: Option<LotNumber>, from: &mut Reader<'_>) -> Result<Lot, WireError> {
    let flags = from.byte()?;
    let first = match before {
        None => Some(0),
        Some(before) => before.0.checked_add(1),
    };
    let number = from.unsigned()?;
    let number = first.and_then(|first| first.checked_add(number));
    let number = number.ok_or(from.wrong("the number of a lot leaves 64 bits"))?;
    let mut columns = [Points::ZERO; 6];
    let mut granted = Some(Points::ZERO);
    for (position, points) in columns.iter_mut().enumerate() {
        if flags & (COLUMN << position) != 0 {
            *points = Points(from.not_negative("points of a lot leave 63 bits")?);
            if points.0 == 0 {
                return Err(from.wrong("no points of a lot where there should be some"));
            }
            granted = granted.and_then(|granted| granted.checked_add(*points));
        }
    }
    let granted = granted.ok_or(from.wrong("the points of a lot leave 64 bits"))?;
    let [free, held, spent, expired, clawed_back, moved_out] = columns;
    from.counted_from(|from, earned_at| {
        Ok(Lot {
            number: LotNumber(number),
            granted,
            free,
            held,
            spent,
            expired,
            clawed_back,
            moved_out,
            earned_at,
            available_at: Timestamp::read(from)?,
            expires_at: match flags & EXPIRES {
                0 => None,
                _ => Some(Timestamp::read(from)?),
            },
            pending: flags & PENDING != 0,
        })
    })
}
