//! What is bought, by popularity and by taste.

use tenure::simulate::{Assortment, Retailer, RetailerConfig};

use super::retailer;

fn tasteful(zipf: f64, concentration: f64) -> Retailer {
    retailer(RetailerConfig {
        assortment: Some(Assortment {
            items: 60,
            groups: 4,
            zipf,
            concentration,
            basket: 3.0,
        }),
        ..RetailerConfig::cdnow_like(15_000, 12)
    })
}

#[test]
fn popularity_follows_zipf() {
    let shop = tasteful(1.0, 3.0);
    let mut counts = [0.0; 60];
    for (_, line) in shop.rows() {
        counts[line.item.unwrap() as usize] += 1.0;
    }
    let all: f64 = counts.iter().sum();
    // 1 / (H_60 (i + 1)), H_60 = 4.679870.
    for (item, expected) in [
        (0, 0.213_68),
        (1, 0.106_84),
        (9, 0.021_368),
        (59, 0.003_561),
    ] {
        let share = counts[item] / all;
        assert!((share / expected - 1.0).abs() < 0.06, "{item}: {share}");
    }
}

#[test]
fn tastes_are_what_the_probabilities_say() {
    let shop = tasteful(0.7, 0.5);
    let mut largest = 0.0;
    let (mut surprise, mut seen) = (0.0, 0.0);
    let (mut drawn, mut expected) = (0.0, 0.0);
    for customer in shop.customers().take(3_000) {
        let truth = customer.truth();
        let shares = truth.taste.shares();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        largest += shares.iter().copied().fold(0.0, f64::max);
        let sum: f64 = (0..60)
            .map(|i| shop.item_probability(truth, i).unwrap())
            .sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        for line in customer.lines() {
            let p = shop.item_probability(truth, line.item.unwrap()).unwrap();
            let group = line.item.unwrap() as usize % 4;
            surprise += shares[group] / p;
            // A group is drawn as often as its share says, so the share of what is drawn is on average
            // the sum of squares.
            drawn += shares[group];
            expected += shares.iter().map(|share| share * share).sum::<f64>();
            seen += 1.0;
        }
    }
    assert!((0.7..0.95).contains(&(largest / 3_000.0)), "{largest}");
    let gap = (drawn - expected) / seen;
    assert!(gap.abs() < 0.01, "{gap}");
    // The mean of 1 / p over draws from p is the number of items, here of a group.
    assert!((surprise / seen - 15.0).abs() < 0.3, "{}", surprise / seen);
    assert_eq!(shop.item_probability(&shop.truth(0).unwrap(), 60), None);
}
