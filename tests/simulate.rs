//! The simulated retailer against theory, and against itself.

#[path = "simulate/offers.rs"]
mod offers;
#[path = "simulate/tastes.rs"]
mod tastes;

use proptest::prelude::*;
use tenure::error::DataError;
use tenure::event::{Timestamp, Weekday, Zone};
use tenure::simulate::{
    Assignment, Dropout, Event, Lifespan, PurchaseProcess, Retailer, RetailerConfig, Season,
};
use tenure::summary::TimeUnit;

fn retailer(config: RetailerConfig) -> Retailer {
    Retailer::new(config).unwrap()
}

/// All customers from the first instant, watched for `weeks`.
fn watched_for(weeks: u32, purchase: PurchaseProcess, customers: u64) -> Retailer {
    retailer(RetailerConfig {
        days: weeks * 7,
        acquisition_days: 0,
        purchase,
        ..RetailerConfig::cdnow_like(customers, 11)
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}

fn repeat_purchases(shop: &Retailer) -> impl Iterator<Item = f64> {
    shop.customers().map(|c| c.purchases().count() as f64 - 1.0)
}

fn share_staying(shop: &Retailer) -> f64 {
    mean(shop.customers().map(|c| f64::from(c.dropout().is_none())))
}

/// FNV-1a, 64 bits, over the little-endian bytes of each word.
fn fnv(words: impl Iterator<Item = u64>) -> u64 {
    words
        .flat_map(u64::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
}

fn fingerprint(shop: &Retailer) -> u64 {
    fnv(shop.customers().flat_map(|customer| {
        let lines = customer.lines().flat_map(move |line| {
            let item = line.item.map_or(u64::MAX, u64::from);
            let (time, amount) = (line.time.unix_s() as u64, line.amount_minor as u64);
            [customer.number(), time, amount, line.order, item]
        });
        let offers = customer.events().filter_map(|event| match event {
            Event::Offer(o) => Some(u64::from(o.offer) * 2 + u64::from(o.treated)),
            _ => None,
        });
        lines.chain(offers).collect::<Vec<_>>()
    }))
}

#[test]
fn what_a_seed_gives_is_pinned() {
    let prints = [
        RetailerConfig::cdnow_like(1_000, 42),
        RetailerConfig::grocery_like(1_000, 42),
        RetailerConfig {
            purchase: PurchaseProcess::pareto_nbd(0.55, 10.58, 0.61, 11.67),
            ..RetailerConfig::cdnow_like(1_000, 42)
        },
    ]
    .map(|config| fingerprint(&retailer(config)));
    assert_eq!(
        prints,
        [
            0x9962_d217_5901_29c2,
            0xbc75_b99d_797e_7b87,
            0xb29f_ac81_bbec_b7b0
        ],
        "{prints:#x?}"
    );
    let other = fingerprint(&retailer(RetailerConfig::cdnow_like(1_000, 43)));
    assert_ne!(other, prints[0]);
}

#[test]
fn a_customer_is_the_same_whatever_else_is_drawn() {
    let few = retailer(RetailerConfig::grocery_like(50, 3));
    let many = retailer(RetailerConfig::grocery_like(1 << 48, 3));
    for (number, customer) in (0..).zip(few.customers()) {
        let alone = many.customer(number).unwrap();
        assert_eq!(alone.truth(), customer.truth());
        assert!(alone.events().eq(customer.events()));
        assert!(alone.lines().eq(customer.lines()));
    }
    assert!(few.customer(50).is_none() && few.truth(50).is_none());
    let last = many.customer((1 << 48) - 1).unwrap();
    assert_ne!(last.truth(), few.customer(0).unwrap().truth());
}

#[test]
fn the_log_holds_every_line_in_order() {
    // More customers than one thread takes at a time, so that the parallel order is put to the test.
    let shop = retailer(RetailerConfig {
        days: 60,
        acquisition_days: 40,
        ..RetailerConfig::grocery_like(9_000, 5)
    });
    let log = shop.transactions().unwrap();
    let (orders, items) = (log.order().unwrap(), log.item().unwrap());
    let mut rows = 0;
    let mut order = None;
    for (row, (customer, line)) in shop.rows().enumerate() {
        assert_eq!(u64::from(log.customer()[row]), customer);
        assert_eq!(
            (log.time()[row], log.amount()[row]),
            (line.time, line.amount_minor)
        );
        assert_eq!(Some(items[row]), line.item);
        let new = order.replace((customer, line.order)) != Some((customer, line.order));
        assert_eq!(
            orders[row],
            if row == 0 {
                0
            } else {
                orders[row - 1] + u32::from(new)
            }
        );
        rows += 1;
    }
    assert_eq!(log.len(), rows);
    let interactions = shop.interactions().unwrap();
    assert_eq!(interactions.item(), items);
    assert_eq!(
        (interactions.items(), interactions.customers()),
        (2_000, 9_000)
    );
}

#[test]
fn the_csv_says_what_the_rows_say() {
    let shop = retailer(RetailerConfig::cdnow_like(5_000, 8));
    let mut text = Vec::new();
    let rows = shop.write_csv(&mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("customer,time,amount"));
    let decimals = shop.config().spend.decimals;
    for (customer, line) in shop.rows() {
        let fields: Vec<&str> = lines.next().unwrap().split(',').collect();
        assert_eq!(fields[0], customer.to_string());
        assert_eq!(fields[1].parse(), Ok(line.time));
        assert_eq!(decimals.parse(fields[2]), Some(line.amount_minor));
    }
    assert_eq!(
        (lines.next(), text.lines().count() as u64 - 1),
        (None, rows)
    );

    let mut text = Vec::new();
    let grocer = retailer(RetailerConfig::grocery_like(3, 8));
    grocer.write_csv(&mut text).unwrap();
    assert!(text.starts_with(b"customer,time,amount,order,item\n0,2023-"));
}

#[test]
fn lines_add_up_to_the_purchase() {
    let shop = retailer(RetailerConfig::grocery_like(200, 6));
    for customer in shop.customers() {
        let mut lines = customer.lines();
        for (number, purchase) in (0..).zip(customer.purchases()) {
            let amounts: Vec<i64> = lines
                .by_ref()
                .take(purchase.items as usize)
                .inspect(|line| assert_eq!((line.order, line.time), (number, purchase.time)))
                .map(|line| line.amount_minor)
                .collect();
            assert_eq!(amounts.iter().sum::<i64>(), purchase.amount_minor);
            assert!(amounts.iter().max().unwrap() - amounts.iter().min().unwrap() <= 1);
        }
        assert_eq!(lines.next(), None);
    }
    assert!(
        (mean(
            shop.customers()
                .flat_map(|c| c.purchases())
                .map(|p| f64::from(p.items))
        ) - 6.0)
            .abs()
            < 0.15
    );
}

// The expectations of the next test were found by numerical integration of each model's defining
// integrals over the heterogeneity (20 digits).
#[test]
fn purchases_and_survivors_are_as_many_as_theory_says() {
    let n = 20_000;
    let bg = PurchaseProcess::bg_nbd(0.243, 4.414, 0.793, 2.426);
    let mbg = PurchaseProcess::mbg_nbd(0.243, 4.414, 0.793, 2.426);
    let pareto = PurchaseProcess::pareto_nbd(0.55, 10.58, 0.61, 11.67);
    for (name, process, weeks, purchases, staying) in [
        ("bg", bg, 39, 1.196_723_2, 0.794_403_3),
        ("bg", bg, 78, 1.860_519_1, 0.719_954_4),
        ("mbg", mbg, 39, 0.991_126_5, 0.620_816_8),
        ("pareto", pareto, 52, 1.459_264_5, 0.355_232_7),
        ("nbd", PurchaseProcess::nbd(0.5, 10.0), 52, 2.6, 1.0),
    ] {
        let shop = watched_for(weeks, process, n);
        let counts: Vec<f64> = repeat_purchases(&shop).collect();
        let average = mean(counts.iter().copied());
        let variance = mean(counts.iter().map(|x| (x - average) * (x - average)));
        // Four standard errors.
        let off = (average - purchases) / (variance / n as f64).sqrt();
        assert!(
            off.abs() < 4.0,
            "{name} {weeks}: {average}, {off} standard errors"
        );
        let share = share_staying(&shop);
        let off = (share - staying) / (0.25 / n as f64).sqrt();
        assert!(off.abs() < 4.0, "{name} {weeks}: {share}");
    }
}

#[test]
fn regular_buyers_buy_regularly() {
    // Hardly any heterogeneity: counts over 50 mean gaps have a variance near 50 / k.
    for (k, low, high) in [(1, 45.0, 55.0), (4, 11.0, 14.5)] {
        let process = PurchaseProcess {
            r: 1e6,
            alpha: 1e6 / f64::from(k),
            k,
            dropout: Dropout::Never,
        };
        let shop = watched_for(50, process, 4_000);
        let counts: Vec<f64> = repeat_purchases(&shop).collect();
        let average = mean(counts.iter().copied());
        let variance = mean(counts.iter().map(|x| (x - average) * (x - average)));
        assert!((49.0..50.5).contains(&average), "{k}: {average}");
        assert!((low..high).contains(&variance), "{k}: {variance}");
        assert!((shop.truth(0).unwrap().rate - 1.0).abs() < 0.01);
    }
}

#[test]
fn nobody_buys_after_dropping_out() {
    for process in [
        PurchaseProcess::bg_nbd(1.0, 1.0, 0.8, 2.4),
        PurchaseProcess::mbg_cnbd(3, 1.0, 0.3, 0.8, 2.4),
        PurchaseProcess::pareto_nbd(1.0, 1.0, 0.6, 5.0),
    ] {
        let shop = watched_for(40, process, 2_000);
        let mut gone = 0;
        for customer in shop.customers() {
            let last = customer.purchases().last().unwrap().time;
            let count = customer.purchases().count() as u64;
            let Some(dropout) = customer.dropout() else {
                continue;
            };
            gone += 1;
            assert!(last <= dropout && dropout < shop.end());
            match customer.truth().lifespan {
                Lifespan::Purchases(n) => assert_eq!((n, last), (count, dropout)),
                Lifespan::Time(t) => assert!(t < 40.0),
                other => panic!("{other:?}"),
            }
        }
        assert!(gone > 400, "{gone}");
    }
}

#[test]
fn spend_has_the_means_of_the_model() {
    let shop = watched_for(
        78,
        PurchaseProcess::bg_nbd(0.243, 4.414, 0.793, 2.426),
        20_000,
    );
    let decimals = shop.config().spend.decimals;
    let over_customers = mean(shop.customers().map(|c| c.truth().mean_spend));
    let first = mean(
        shop.customers()
            .map(|c| decimals.to_major(c.purchases().next().unwrap().amount_minor)),
    );
    // p v / (q - 1) = 35.219.
    assert!((over_customers - 35.219).abs() < 0.7, "{over_customers}");
    assert!((first - 35.219).abs() < 0.8, "{first}");
    // Relative to the customer's mean, a purchase has mean 1 and variance 1 / p = 0.16.
    let relative: Vec<f64> = shop
        .customers()
        .flat_map(|c| {
            let mean_spend = c.truth().mean_spend;
            c.purchases()
                .map(move |p| decimals.to_major(p.amount_minor) / mean_spend)
        })
        .collect();
    let average = mean(relative.iter().copied());
    let variance = mean(relative.iter().map(|x| (x - 1.0) * (x - 1.0)));
    assert!((average - 1.0).abs() < 0.005, "{average}");
    assert!((variance - 0.16).abs() < 0.005, "{variance}");
}

#[test]
fn the_season_shows_in_the_log() {
    let mut weekday = [1.0; 7];
    weekday[5] = 3.0; // Saturday
    weekday[6] = 0.0; // closed on Sundays
    let mut month = [1.0; 12];
    month[11] = 2.0;
    let shop = retailer(RetailerConfig {
        start: Timestamp::from_civil(2021, 1, 1).unwrap(),
        days: 730,
        acquisition_days: 0,
        purchase: PurchaseProcess::mbg_cnbd(2, 5.0, 5.0, 1e-6, 1e6),
        season: Some(Season { weekday, month }),
        ..RetailerConfig::cdnow_like(1_500, 4)
    });
    let (mut by_weekday, mut by_month) = ([0.0; 7], [0.0; 13]);
    for purchase in shop.customers().flat_map(|c| c.purchases().skip(1)) {
        let text = purchase.time.to_string();
        by_month[text[5..7].parse::<usize>().unwrap()] += 1.0;
        // 2021-01-04 was a Monday.
        let days = Zone::UTC.day(purchase.time)
            - Zone::UTC.day(Timestamp::from_civil(2021, 1, 4).unwrap());
        by_weekday[days.rem_euclid(7) as usize] += 1.0;
    }
    assert_eq!(by_weekday[6], 0.0);
    let saturday = by_weekday[Weekday::Saturday as usize] / mean(by_weekday[..5].iter().copied());
    assert!((saturday - 3.0).abs() < 0.1, "{saturday}");
    let december = by_month[12] / mean([by_month[10], by_month[8], by_month[7]].into_iter());
    assert!((december - 2.0).abs() < 0.1, "{december}");
}

#[test]
fn a_part_leaves_the_others_as_they_were() {
    let plain = retailer(RetailerConfig::cdnow_like(100, 21));
    let rich = retailer(RetailerConfig {
        assortment: RetailerConfig::grocery_like(1, 1).assortment,
        season: RetailerConfig::grocery_like(1, 1).season,
        offers: RetailerConfig::grocery_like(1, 1).offers,
        ..RetailerConfig::cdnow_like(100, 21)
    });
    for (a, b) in plain.customers().zip(rich.customers()) {
        assert_eq!(a.first(), b.first());
        let of = |c: &tenure::simulate::SimulatedCustomer| {
            (c.truth().rate, c.truth().lifespan, c.truth().mean_spend)
        };
        assert_eq!(of(&a), of(&b));
    }
    assert!(matches!(
        plain.interactions(),
        Err(DataError::Empty { what: "items", .. })
    ));
    assert!(plain.transactions().unwrap().item().is_none());
    assert!(plain.truth(0).unwrap().taste.shares().is_empty());
}

#[test]
fn bad_settings_are_named() {
    let refuse = |change: fn(&mut RetailerConfig), message: &str| {
        let mut config = RetailerConfig::grocery_like(10, 1);
        change(&mut config);
        let error = Retailer::new(config).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    };
    refuse(
        |c| c.customers = u64::MAX,
        "the setting `customers` is 18446744073709551615",
    );
    refuse(
        |c| c.days = 0,
        "the setting `days` is 0; it must be from 1 to 36525",
    );
    refuse(
        |c| c.acquisition_days = 731,
        "the setting `acquisition_days` is 731",
    );
    refuse(
        |c| c.start = Timestamp::MAX,
        "the setting `start` is 9999-12-30T22:00:00Z",
    );
    refuse(|c| c.purchase.r = f64::NAN, "the setting `r` is NaN");
    refuse(|c| c.purchase.alpha = 0.0, "the setting `alpha` is 0");
    refuse(
        |c| c.purchase.alpha = 1e-9,
        "the setting `alpha` is 0.000000001; it must be so large",
    );
    refuse(|c| c.purchase.k = 0, "the setting `k` is 0");
    refuse(
        |c| c.purchase.dropout = Dropout::AtAnyTime { s: 1.0, beta: -1.0 },
        "the setting `beta` is -1",
    );
    refuse(|c| c.spend.q = f64::INFINITY, "the setting `q` is inf");
    refuse(
        |c| c.assortment.as_mut().unwrap().groups = 17,
        "the setting `groups` is 17",
    );
    refuse(
        |c| c.assortment.as_mut().unwrap().items = 7,
        "the setting `items` is 7",
    );
    refuse(
        |c| c.season.as_mut().unwrap().weekday = [0.0; 7],
        "the setting `weekday` is 0 throughout",
    );
    refuse(
        |c| c.season.as_mut().unwrap().month[3] = -1.0,
        "the setting `month` is -1",
    );
    refuse(
        |c| c.offers.as_mut().unwrap().window_days = 29,
        "the setting `window_days` is 29",
    );
    refuse(
        |c| c.offers.as_mut().unwrap().sleeping_dog_share = 0.8,
        "the setting `sleeping_dog_share` is 0.8",
    );
    refuse(
        |c| c.offers.as_mut().unwrap().assignment = Assignment::Propensity(1.5),
        "the setting `propensity` is 1.5",
    );
}

#[test]
fn a_retailer_without_customers_has_an_empty_log() {
    let shop = retailer(RetailerConfig::grocery_like(0, 1));
    assert!(shop.transactions().unwrap().is_empty());
    assert!(shop.interactions().unwrap().is_empty());
    let mut text = Vec::new();
    assert_eq!(shop.write_csv(&mut text).unwrap(), 0);
    let many = retailer(RetailerConfig::cdnow_like(1 << 32, 1));
    assert!(matches!(
        many.transactions(),
        Err(DataError::TooMany {
            what: "customers",
            ..
        })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_valid_settings_give_valid_events(
        seed in any::<u64>(),
        start in -10_000_000_000_i64..10_000_000_000,
        (days, window) in (1_u32..400).prop_flat_map(|days| (Just(days), 0..=days)),
        ln_r in -13.8_f64..4.0, ln_alpha in -3.0_f64..13.0, k in 1_u32..5,
        shapes in (-13.8_f64..13.8, -13.8_f64..13.8), kind in 0..4,
        spend in (-6.9_f64..13.8, -6.9_f64..13.8, -13.8_f64..27.6),
        closed in 0_usize..7, items in 5_u32..40,
    ) {
        let (a, b) = (shapes.0.exp(), shapes.1.exp());
        let dropout = match kind {
            0 => Dropout::Never,
            1 => Dropout::AfterRepeatPurchase { a, b },
            2 => Dropout::AfterPurchase { a, b },
            _ => Dropout::AtAnyTime { s: a, beta: b },
        };
        let mut config = RetailerConfig {
            start: Timestamp::from_unix_s(start).unwrap(),
            days,
            acquisition_days: window,
            unit: TimeUnit::Week,
            purchase: PurchaseProcess { r: ln_r.exp(), alpha: ln_alpha.exp(), k, dropout },
            ..RetailerConfig::grocery_like(20, seed)
        };
        (config.spend.p, config.spend.q, config.spend.v) =
            (spend.0.exp(), spend.1.exp(), spend.2.exp());
        config.season.as_mut().unwrap().weekday[closed] = 0.0;
        config.assortment.as_mut().unwrap().items = items.max(8);
        config.assortment.as_mut().unwrap().concentration = a.clamp(1e-3, 1e6);
        let shop = retailer(config);
        let mut log_rows = 0;
        for customer in shop.customers() {
            let truth = customer.truth();
            prop_assert!(truth.rate.is_finite() && truth.rate >= 0.0);
            prop_assert!(truth.mean_spend.is_finite() && truth.mean_spend > 0.0);
            let mut last = customer.first();
            prop_assert!(last >= shop.config().start);
            for event in customer.events() {
                let time = match event {
                    Event::Purchase(purchase) => {
                        prop_assert!(purchase.amount_minor >= 1);
                        purchase.time
                    }
                    Event::Offer(offer) => offer.time,
                    other => panic!("{other:?}"),
                };
                prop_assert!(last <= time && time < shop.end());
                last = time;
            }
            log_rows += customer.lines().count();
        }
        prop_assert_eq!(shop.transactions().unwrap().len(), log_rows);
    }
}
