//! Histories given with how many customers have them.

use tenure::summary::{Histories, HistoryColumns, TimeUnit};

/// From rows of x, t_x, T and the number of customers.
pub fn histories(rows: &[(u32, f64, f64, usize)]) -> Histories {
    let mut columns = HistoryColumns::default();
    for &(x, recency, age, customers) in rows {
        for _ in 0..customers {
            columns.frequency.push(x);
            columns.recency.push(recency);
            columns.age.push(age);
        }
    }
    Histories::from_columns(TimeUnit::Week, columns).unwrap()
}
