//! How sure the answers are: their intervals over a posterior.

use super::DynamicParetoNbd;
use super::answers::{Outlook, Reached, alive_after, in_order, longest_covered, purchases};
use super::design::Design;
use crate::error::{ConfigError, Error};
use crate::lifetime::interval::{Gathering, Portfolio, Posterior, Prospects};
use crate::lifetime::value::infinite_spend;
use crate::lifetime::{Discount, Horizon, SpendModel};
use crate::numeric::reduce::map_into;
use crate::summary::PathHistories;

/// Rows whose answers under all draws are held at once.
const TOGETHER: usize = 64;

/// Intervals of answers that need the calendar. They cost, for each draw and customer, about what the
/// customer costs in one evaluation of the likelihood.
impl Posterior<DynamicParetoNbd> {
    /// Who is still alive at the end of the observation, and how many of them all.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1; else as
    /// [`DynamicParetoNbd::probability_alive`].
    pub fn probability_alive(
        &self,
        data: &PathHistories<'_>,
        level: f64,
    ) -> Result<Portfolio, Error> {
        let [alive] = self.portfolios_ahead(data, &[], level, |outlook, _| [outlook.alive])?;
        Ok(alive)
    }

    /// Who is still alive some time after the end of the observation, and how many of them all.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1; else as
    /// [`DynamicParetoNbd::probability_alive_after`].
    pub fn probability_alive_after(
        &self,
        data: &PathHistories<'_>,
        delay: f64,
        level: f64,
    ) -> Result<Portfolio, Error> {
        let [alive] = self.portfolios_ahead(data, &[delay], level, |outlook, reached| {
            [alive_after(outlook, reached)]
        })?;
        Ok(alive)
    }

    /// How many purchases each customer will make in the `horizon` after the end of the observation, along
    /// the covariates of that time, and all of them together.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1; else as
    /// [`DynamicParetoNbd::expected_purchases`].
    pub fn expected_purchases(
        &self,
        data: &PathHistories<'_>,
        horizon: f64,
        level: f64,
    ) -> Result<Portfolio, Error> {
        Ok(self.prospects(data, horizon, level)?.purchases)
    }

    /// [`probability_alive`](Self::probability_alive) and [`expected_purchases`](Self::expected_purchases)
    /// in one go, which takes hardly more time than either.
    ///
    /// # Errors
    /// As [`expected_purchases`](Self::expected_purchases).
    pub fn prospects(
        &self,
        data: &PathHistories<'_>,
        horizon: f64,
        level: f64,
    ) -> Result<Prospects, Error> {
        let [alive, purchases] =
            self.portfolios_ahead(data, &[horizon], level, |outlook, reached| {
                [outlook.alive, purchases(outlook, reached)]
            })?;
        Ok(Prospects { alive, purchases })
    }

    /// What each customer is worth over a horizon, and all of them together:
    /// [`DynamicParetoNbd::value_over`] from the uncertainty of both models, whose draws are paired as they
    /// come. With [`Posterior::certain`] of [`UnitSpend`](crate::lifetime::UnitSpend) the discounted
    /// purchases.
    ///
    /// # Errors
    /// [`ConfigError::OutOfRange`] unless 0 < `level` < 1; else as [`DynamicParetoNbd::value_over`].
    pub fn value_over<S: SpendModel>(
        &self,
        data: &PathHistories<'_>,
        spend: &Posterior<S>,
        discount: Discount,
        horizon: Horizon,
        level: f64,
    ) -> Result<Portfolio, Error> {
        let schedule = horizon.schedule(data.histories().unit(), discount)?;
        let (horizons, weights) = in_order(&schedule);
        let pairs = self.draws().len().max(spend.draws().len());
        let mut gathering = Gathering::new(level, pairs)?;
        let mut values = Vec::with_capacity(pairs);
        let mut infinite = false;
        let answer =
            |outlook: &Outlook, reached: &[Reached]| [outlook.weighed_purchases(&weights, reached)];
        let mut histories = data.histories().iter();
        self.for_each_row(data, &horizons, answer, |[purchases]| {
            let Some(history) = histories.next() else {
                return;
            };
            let spends = spend.draws().iter().cycle();
            let paired = purchases.iter().cycle().zip(spends).take(pairs);
            values.clear();
            values.extend(
                paired.map(|(purchases, spend)| purchases * spend.expected_spend(&history)),
            );
            infinite |= values.iter().any(|value| !value.is_finite());
            gathering.add(&mut values);
        })?;
        if infinite {
            return Err(infinite_spend().into());
        }
        Ok(gathering.portfolio())
    }

    /// Several answers that the model gives together, at some ascending horizons.
    fn portfolios_ahead<const N: usize>(
        &self,
        data: &PathHistories<'_>,
        horizons: &[f64],
        level: f64,
        answer: impl Fn(&Outlook, &[Reached]) -> [f64; N] + Sync,
    ) -> Result<[Portfolio; N], Error> {
        let empty = Gathering::new(level, self.draws().len())?;
        let mut gathered = [(); N].map(|()| empty.clone());
        self.for_each_row(data, horizons, answer, |answers| {
            for (gathering, answers) in gathered.iter_mut().zip(answers) {
                gathering.add(answers);
            }
        })?;
        Ok(gathered.map(Gathering::portfolio))
    }

    /// Hands over each row's answers under all draws, in the order of the rows and of the draws.
    fn for_each_row<const N: usize>(
        &self,
        data: &PathHistories<'_>,
        horizons: &[f64],
        answer: impl Fn(&Outlook, &[Reached]) -> [f64; N] + Sync,
        mut with: impl FnMut([&mut [f64]; N]),
    ) -> Result<(), Error> {
        let longest = longest_covered(data, horizons)?;
        let Some(first) = self.draws().first() else {
            return Ok(());
        };
        // All draws have the covariates of the fit.
        let columns = first.columns(data)?;
        let rows = data.histories().len();
        let mut of_row = [(); N].map(|()| Vec::with_capacity(self.draws().len()));
        for start in (0..rows).step_by(TOGETHER) {
            let part = start..rows.min(start + TOGETHER);
            let design = Design::of_rows(data, &columns, part.clone(), longest)?;
            let mut of_draws: Vec<Result<Vec<[f64; N]>, ConfigError>> =
                self.draws().iter().map(|_| Ok(Vec::new())).collect();
            map_into(self.draws(), &mut of_draws, |model| {
                model.answers(&design, horizons, &answer)
            });
            let of_draws = of_draws.into_iter().collect::<Result<Vec<_>, _>>()?;
            for row in 0..part.len() {
                for (number, places) in of_row.iter_mut().enumerate() {
                    let answers = of_draws.iter().filter_map(|answers| answers.get(row));
                    places.clear();
                    places.extend(answers.map(|answers| answers[number]));
                }
                with(of_row.each_mut().map(Vec::as_mut_slice));
            }
        }
        Ok(())
    }
}
