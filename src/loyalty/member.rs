//! What a ledger remembers of one member.

use serde::{Deserialize, Serialize};

use super::calendar;
use super::lot::{Lot, LotNumber, Take};
use super::lots::Lots;
use super::names::CommandId;
use super::points::Points;
use crate::event::Timestamp;

/// The state of one member: lots, open holds, debt, and what caps, limits and tiers must remember.
///
/// Changed by [`apply`](super::apply) only. As of the instant of the last entry: what became due later
/// is booked with the member's next command, at the instant at which it was due.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    pub(crate) as_of: Timestamp,
    pub(crate) joined: Option<Timestamp>,
    pub(crate) lots: Lots,
    pub(crate) available: Points,
    pub(crate) granted: Points,
    /// What most members have nothing of.
    pub(super) more: Option<Box<More>>,
    /// How many entries were booked upon it since it came into memory: not a part of the state.
    #[serde(skip)]
    pub(super) revision: u64,
}

/// What nearly every entry changes of a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Core {
    as_of: Timestamp,
    joined: Option<Timestamp>,
    available: Points,
    granted: Points,
    revision: u64,
}

/// What a member has besides lots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct More {
    pub(crate) debt: Points,
    pub(crate) written_off: Points,
    pub(crate) holds: Vec<HoldShare>,
    pub(crate) recent_grants: Vec<(Timestamp, Points)>,
    pub(crate) recent_redemptions: Vec<Timestamp>,
    /// What counts towards tiers, in ascending order of the stretch of time that it counts for.
    pub(crate) qualified: Vec<(Timestamp, i64)>,
    pub(crate) term: Option<Term>,
    /// The part of the money of all sales that belongs to their points.
    pub(crate) allocated: i64,
    /// Points issued, less those taken back.
    pub(crate) issued: i64,
    pub(crate) card: Option<Card>,
}

impl More {
    pub(crate) const NOTHING: More = More {
        debt: Points::ZERO,
        written_off: Points::ZERO,
        holds: Vec::new(),
        recent_grants: Vec::new(),
        recent_redemptions: Vec::new(),
        qualified: Vec::new(),
        term: None,
        allocated: 0,
        issued: 0,
        card: None,
    };
}

impl PartialEq for Member {
    fn eq(&self, other: &Self) -> bool {
        let own = |m: &Self| (m.as_of, m.joined, m.available, m.granted);
        own(self) == own(other) && self.lots == other.lots && self.more() == other.more()
    }
}

impl Eq for Member {}

/// The points of one member in a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HoldShare {
    pub(crate) hold: CommandId,
    pub(crate) until: Option<Timestamp>,
    pub(crate) parts: Vec<Take>,
}

/// A tier that was reached on a day and is valid for 12 months.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The tier; above 0.
    pub tier: u32,
    /// When it was reached or confirmed.
    #[serde(with = "calendar::text")]
    pub since: Timestamp,
    /// The instant at which it must be earned again.
    #[serde(with = "calendar::text")]
    pub until: Timestamp,
}

/// A stamp card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Stamps; negative when more were taken than there were.
    pub stamps: i64,
    /// Rewards that have not been broken.
    pub rewards: i64,
}

impl Member {
    /// A member of whom nothing is known.
    pub(crate) const fn unknown() -> Self {
        Self {
            as_of: Timestamp::MIN,
            joined: None,
            lots: Lots::new(),
            available: Points::ZERO,
            granted: Points::ZERO,
            more: None,
            revision: 0,
        }
    }

    pub(crate) fn nobody() -> &'static Self {
        static NOBODY: Member = Member::unknown();
        &NOBODY
    }

    /// The part of it that has one size.
    pub(crate) fn core(&self) -> Core {
        Core {
            as_of: self.as_of,
            joined: self.joined,
            available: self.available,
            granted: self.granted,
            revision: self.revision,
        }
    }

    /// Brings the part back that has one size.
    pub(crate) fn set_core(&mut self, core: Core) {
        self.as_of = core.as_of;
        self.joined = core.joined;
        self.available = core.available;
        self.granted = core.granted;
        self.revision = core.revision;
    }

    /// Reads something at both ends of the member itself.
    pub(crate) fn glance(&self) -> u64 {
        self.revision ^ self.as_of.unix_s().cast_unsigned()
    }

    pub(crate) fn more(&self) -> &More {
        static NOTHING: More = More::NOTHING;
        self.more.as_deref().unwrap_or(&NOTHING)
    }

    pub(crate) fn more_mut(&mut self) -> &mut More {
        self.more.get_or_insert_with(|| Box::new(More::NOTHING))
    }

    /// Gives the memory back of what has become nothing.
    pub(crate) fn tidy(&mut self) {
        if self.more() == &More::NOTHING {
            self.more = None;
        }
    }

    /// The instant of the member's last entry.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// When the member's first points command came; `None` for a member who only has stamps, or nothing.
    pub fn joined(&self) -> Option<Timestamp> {
        self.joined
    }

    /// All lots that there ever were, in the order of their numbers.
    pub fn lots(&self) -> impl Iterator<Item = Lot> {
        self.lots.iter()
    }

    /// The lots that have free or held points, or have not matured, in the order of their numbers.
    pub fn open_lots(&self) -> impl Iterator<Item = Lot> {
        self.lots.open()
    }

    /// A lot, by its number.
    pub fn lot(&self, number: LotNumber) -> Option<Lot> {
        self.lots.get(number)
    }

    /// Points that the member owes.
    pub fn debt(&self) -> Points {
        self.more().debt
    }

    /// Points that were not asked back.
    pub fn written_off(&self) -> Points {
        self.more().written_off
    }

    /// Usable points less the debt; below 0 only when no usable points are left.
    pub fn available(&self) -> Points {
        // Both are sums of columns that `apply` keeps within 64 bits, neither of them negative.
        Points(self.available.0 - self.debt().0)
    }

    /// The stamp card, if there ever was a stamp.
    pub fn card(&self) -> Option<Card> {
        self.more().card
    }
}
