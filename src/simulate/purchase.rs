//! When customers buy and when they stop.

use super::config::{positive, within};
use super::sampling::Stream;
use crate::error::ConfigError;

/// How purchases follow each other, and how customers drop out: the buy-till-you-die family.
///
/// A customer's rate λ is drawn from Gamma(shape `r`, rate `alpha`). The times between purchases are
/// Erlang-`k` with rate λ: exponential for `k` = 1, more regular for larger `k`, with mean `k`/λ. The
/// named constructors are the models of the literature.
///
/// ```
/// use tenure::simulate::PurchaseProcess;
///
/// // CDNOW's customers, in weeks.
/// let process = PurchaseProcess::bg_nbd(0.243, 4.414, 0.793, 2.426);
/// assert_eq!(process.k, 1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PurchaseProcess {
    /// Shape of the rates' gamma distribution: the smaller, the more customers differ. From 10⁻⁶ to 10⁶.
    pub r: f64,
    /// Rate of that distribution, in units of time: the mean λ is `r` / `alpha`. Positive; the time
    /// simulated must hold fewer than ten million purchases of an average customer.
    pub alpha: f64,
    /// Regularity: 1 for purchases at random moments; from 1 to 100.
    pub k: u32,
    /// How customers stop.
    pub dropout: Dropout,
}

/// How customers stop buying. Shapes lie between 10⁻⁶ and 10⁶.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Dropout {
    /// They never do.
    Never,
    /// After each *repeat* purchase with a probability that is Beta(`a`, `b`) over customers; nobody
    /// stops after the first purchase (BG).
    AfterRepeatPurchase {
        /// First shape.
        a: f64,
        /// Second shape.
        b: f64,
    },
    /// After each purchase, the first included, with a probability that is Beta(`a`, `b`) (MBG).
    AfterPurchase {
        /// First shape.
        a: f64,
        /// Second shape.
        b: f64,
    },
    /// At any moment: the lifetime is exponential with a rate that is Gamma(shape `s`, rate `beta`)
    /// over customers (Pareto).
    AtAnyTime {
        /// Shape.
        s: f64,
        /// Rate, in units of time; positive.
        beta: f64,
    },
}

/// How long a customer stays, as drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Lifespan {
    /// For ever.
    Endless,
    /// Until right after this many purchases, the first included.
    Purchases(u64),
    /// This long after the first purchase, in units of time.
    Time(f64),
}

impl PurchaseProcess {
    /// NBD: random purchases, nobody stops (Ehrenberg 1959).
    pub const fn nbd(r: f64, alpha: f64) -> Self {
        Self::poisson(r, alpha, Dropout::Never)
    }

    /// BG/NBD (Fader, Hardie and Lee 2005).
    pub const fn bg_nbd(r: f64, alpha: f64, a: f64, b: f64) -> Self {
        Self::poisson(r, alpha, Dropout::AfterRepeatPurchase { a, b })
    }

    /// MBG/NBD (Batislam, Denizel and Filiztekin 2007).
    pub const fn mbg_nbd(r: f64, alpha: f64, a: f64, b: f64) -> Self {
        Self::poisson(r, alpha, Dropout::AfterPurchase { a, b })
    }

    /// MBG/CNBD-k: regular purchases (Platzer and Reutterer 2017).
    pub const fn mbg_cnbd(k: u32, r: f64, alpha: f64, a: f64, b: f64) -> Self {
        let dropout = Dropout::AfterPurchase { a, b };
        Self {
            r,
            alpha,
            k,
            dropout,
        }
    }

    /// Pareto/NBD (Schmittlein, Morrison and Colombo 1987).
    pub const fn pareto_nbd(r: f64, alpha: f64, s: f64, beta: f64) -> Self {
        Self::poisson(r, alpha, Dropout::AtAnyTime { s, beta })
    }

    const fn poisson(r: f64, alpha: f64, dropout: Dropout) -> Self {
        Self {
            r,
            alpha,
            k: 1,
            dropout,
        }
    }

    /// Checks the settings against the time simulated, `horizon`, in units of time.
    pub(super) fn check(&self, horizon: f64) -> Result<(), ConfigError> {
        shape("r", self.r)?;
        positive("alpha", self.alpha)?;
        if (self.r + 1.0) / self.alpha * horizon > 1e7 {
            return Err(ConfigError::OutOfRange {
                setting: "alpha",
                value: self.alpha.to_string(),
                expected: "so large that (r + 1) / alpha times the time simulated is at most 10^7",
            });
        }
        within("k", f64::from(self.k), 1.0, 100.0, "from 1 to 100")?;
        match self.dropout {
            Dropout::Never => Ok(()),
            Dropout::AfterRepeatPurchase { a, b } | Dropout::AfterPurchase { a, b } => {
                shape("a", a)?;
                shape("b", b)
            }
            Dropout::AtAnyTime { s, beta } => {
                shape("s", s)?;
                positive("beta", beta)
            }
        }
    }

    /// A customer's rate λ of the stages of which `k` make a purchase.
    pub(super) fn draw_rate(&self, stream: &mut Stream) -> f64 {
        stream.gamma(self.r) / self.alpha
    }

    pub(super) fn draw_lifespan(&self, stream: &mut Stream) -> Lifespan {
        match self.dropout {
            Dropout::Never => Lifespan::Endless,
            Dropout::AfterRepeatPurchase { a, b } => {
                let probability = stream.beta(a, b);
                Lifespan::Purchases(stream.geometric(probability).saturating_add(1))
            }
            Dropout::AfterPurchase { a, b } => {
                let probability = stream.beta(a, b);
                Lifespan::Purchases(stream.geometric(probability))
            }
            Dropout::AtAnyTime { s, beta } => {
                let rate = stream.gamma(s) / beta;
                Lifespan::Time(stream.exponential() / rate)
            }
        }
    }
}

fn shape(setting: &'static str, value: f64) -> Result<(), ConfigError> {
    within(setting, value, 1e-6, 1e6, "from 10^-6 to 10^6")
}
