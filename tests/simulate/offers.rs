//! Offers, those who react to them, and rules that make them.

use std::sync::Arc;

use tenure::simulate::{
    Assignment, Event, OfferContext, Offers, PurchaseProcess, Response, Retailer, RetailerConfig,
};

use super::retailer;

fn with_offers(assignment: Assignment, customers: u64) -> Retailer {
    retailer(RetailerConfig {
        days: 364,
        acquisition_days: 28,
        purchase: PurchaseProcess::nbd(4.0, 8.0),
        offers: Some(Offers {
            first_day: 14,
            every_days: 28,
            window_days: 14,
            persuadable_share: 0.3,
            persuadable_factor: 2.5,
            sleeping_dog_share: 0.2,
            sleeping_dog_factor: 0.4,
            assignment,
        }),
        ..RetailerConfig::cdnow_like(customers, 9)
    })
}

#[test]
fn an_experiment_finds_the_factors_of_the_offers() {
    let shop = with_offers(Assignment::Propensity(0.3), 6_000);
    for (response, share, factor) in [
        (Response::Persuadable, 0.3, 2.5),
        (Response::Indifferent, 0.5, 1.0),
        (Response::SleepingDog, 0.2, 0.4),
    ] {
        // Purchases and offers, without (0) and with (1) treatment.
        let (mut bought, mut offers, mut members) = ([0.0; 2], [0.0; 2], 0);
        for customer in shop.customers().filter(|c| c.truth().response == response) {
            members += 1;
            assert_eq!(customer.truth().offer_factor, factor);
            let mut current = None;
            for event in customer.events() {
                match event {
                    Event::Offer(offer) => {
                        assert_eq!(offer.propensity, 0.3);
                        offers[usize::from(offer.treated)] += 1.0;
                        current = Some(offer);
                    }
                    Event::Purchase(purchase) => {
                        let open = current
                            .filter(|o| purchase.time.unix_s() - o.time.unix_s() < 14 * 86_400);
                        if let Some(offer) = open {
                            bought[usize::from(offer.treated)] += 1.0;
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        let ratio = (bought[1] / offers[1]) / (bought[0] / offers[0]);
        assert!((ratio / factor - 1.0).abs() < 0.06, "{response:?}: {ratio}");
        assert!((offers[1] / (offers[0] + offers[1]) - 0.3).abs() < 0.01);
        assert!(
            (f64::from(members) / 6_000.0 - share).abs() < 0.02,
            "{response:?}: {members}"
        );
    }
}

#[test]
fn the_same_customer_is_seen_with_and_without_offers() {
    let all = with_offers(Assignment::Propensity(1.0), 800);
    let none = with_offers(Assignment::Propensity(0.0), 800);
    let mut changed = 0;
    for (with, without) in all.customers().zip(none.customers()) {
        assert_eq!(with.truth(), without.truth());
        let (gained, lost) = (with.purchases().count(), without.purchases().count());
        changed += usize::from(gained != lost);
        match with.truth().response {
            Response::Persuadable => assert!(gained >= lost),
            Response::Indifferent => assert!(with.purchases().eq(without.purchases())),
            Response::SleepingDog => assert!(gained <= lost),
        }
    }
    assert!(changed > 300, "{changed}");
}

#[test]
fn a_rule_sees_what_the_retailer_knows() {
    let rule = |context: &OfferContext| {
        assert!(context.purchases >= 1 && context.days_since_purchase >= 0.0);
        match context.offer {
            0 => f64::NAN,
            1 => 7.0,
            _ if context.days_since_purchase > 30.0 => 0.9,
            _ => 0.1,
        }
    };
    let shop = with_offers(Assignment::Rule(Arc::new(rule)), 500);
    let mut seen = 0;
    for customer in shop.customers() {
        let mut last = customer.first();
        for event in customer.events() {
            match event {
                Event::Purchase(purchase) => last = purchase.time,
                Event::Offer(offer) => {
                    let idle_s = offer.time.unix_s() - last.unix_s();
                    let expected = match offer.offer {
                        0 => 0.0,
                        1 => 1.0,
                        _ if idle_s > 30 * 86_400 => 0.9,
                        _ => 0.1,
                    };
                    assert_eq!(offer.propensity, expected);
                    assert!(expected.fract() != 0.0 || offer.treated == (expected == 1.0));
                    let days = (offer.time.unix_s() - shop.config().start.unix_s()) / 86_400;
                    assert_eq!(days, 14 + 28 * i64::from(offer.offer));
                    assert!(offer.time > customer.first());
                    seen += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(seen > 500 * 11, "{seen}");
}
