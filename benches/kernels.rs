//! The inner loops, one at a time: `cargo bench --bench kernels`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tenure::event::csv::{Columns, CsvOptions};
use tenure::event::{Decimals, Period, Timestamp, Transactions, Zone};
use tenure::lifetime::{BgNbd, FitOptions, GammaGamma, PurchaseModel, SpendModel};
use tenure::segment::{Binning, Rfm, RfmConfig, RfmFeatures};
use tenure::simulate::{Retailer, RetailerConfig};
use tenure::summary::{
    Grain, Histories, History, PurchaseOptions, PurchaseSummary, Refunds, RfmSummary, TimeUnit,
};

const CUSTOMERS: u64 = 20_000;

fn shop() -> Retailer {
    Retailer::new(RetailerConfig::cdnow_like(CUSTOMERS, 1)).expect("a preset is valid")
}

fn log() -> Transactions {
    shop().transactions().expect("a small log")
}

fn by_day() -> PurchaseOptions {
    PurchaseOptions {
        grain: Grain::Period(Period::Day),
        zone: Zone::UTC,
        refunds: Refunds::Ignore,
    }
}

fn histories() -> Histories {
    let log = log();
    let summary = PurchaseSummary::collect(&log, &by_day()).expect("a small log");
    let purchases = summary.into_purchases().expect("sums in range");
    let end = log.end().expect("a log with rows");
    purchases
        .histories(end, TimeUnit::Week)
        .expect("valid histories")
}

fn facts(c: &mut Criterion) {
    let mut text = Vec::new();
    let rows = shop().write_csv(&mut text).expect("memory takes it");
    let columns = Columns {
        amount: Some("amount"),
        ..Columns::new("customer", "time")
    };
    let options = CsvOptions::new(Decimals::TWO, Zone::UTC);
    let mut group = c.benchmark_group("event");
    group.throughput(Throughput::Elements(rows));
    group.bench_function("csv", |b| {
        b.iter(|| {
            Transactions::from_csv(text.as_slice(), &columns, &options).map(|l| l.facts.len())
        });
    });
    let paris = Zone::named("Europe/Paris").expect("a zone of the database");
    let noon = Timestamp::from_civil(2024, 7, 1).expect("a day");
    group.throughput(Throughput::Elements(1));
    group.bench_function("day in a named zone", |b| {
        b.iter(|| paris.day(black_box(noon)))
    });
    group.finish();
}

fn summaries(c: &mut Criterion) {
    let log = log();
    let mut group = c.benchmark_group("summary");
    group.throughput(Throughput::Elements(log.len() as u64));
    group.bench_function("purchases", |b| {
        b.iter(|| PurchaseSummary::collect(&log, &by_day()))
    });
    group.bench_function("rfm", |b| {
        b.iter(|| RfmSummary::collect(&log, &Zone::UTC, Refunds::Net))
    });
    group.finish();
}

fn segments(c: &mut Criterion) {
    let log = log();
    let summary = RfmSummary::collect(&log, &Zone::UTC, Refunds::Net).expect("a small log");
    let columns = summary.columns().expect("sums in range");
    let today = Zone::UTC.day(log.end().expect("a log with rows"));
    let features = RfmFeatures::from_summary(columns, today).expect("no purchase after the end");
    let mut group = c.benchmark_group("segment");
    group.throughput(Throughput::Elements(features.len() as u64));
    for (name, binning) in [
        ("quantile", Binning::Quantile),
        ("equal count", Binning::EqualCount),
    ] {
        let config = RfmConfig::quintiles(binning);
        group.bench_function(format!("rfm by {name}"), |b| {
            b.iter(|| Rfm::fit(&features, &config).map(|rfm| rfm.scores(&features)));
        });
    }
    group.finish();
}

fn lifetimes(c: &mut Criterion) {
    let histories = histories();
    let model = BgNbd::new(0.243, 4.414, 0.793, 2.426).expect("positive parameters");
    let spend = GammaGamma::new(6.25, 3.74, 15.44).expect("positive parameters");
    let history = History::new(2, 30.43, 38.86).expect("a history");
    let mut group = c.benchmark_group("lifetime");
    group.bench_function("bg_nbd p_alive", |b| {
        b.iter(|| model.probability_alive(black_box(&history)))
    });
    group.bench_function("bg_nbd expected", |b| {
        b.iter(|| model.expected_purchases(black_box(&history), black_box(39.0)));
    });
    group.bench_function("bg_nbd log_likelihood", |b| {
        b.iter(|| model.log_likelihood(black_box(&history)))
    });
    group.bench_function("gamma_gamma expected", |b| {
        b.iter(|| spend.expected_spend(black_box(&history)))
    });
    group.throughput(Throughput::Elements(histories.len() as u64));
    group.bench_function("distinct", |b| b.iter(|| histories.distinct()));
    group.bench_function("bg_nbd fit", |b| {
        b.iter(|| BgNbd::fit(&histories, &FitOptions::default()))
    });
    group.bench_function("gamma_gamma fit", |b| {
        b.iter(|| GammaGamma::fit(&histories, &FitOptions::default()));
    });
    group.bench_function("bg_nbd expected of all", |b| {
        b.iter_batched_ref(
            || vec![0.0; histories.len()],
            |out| model.expected_purchases_batch(&histories, 39.0, out),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(kernels, facts, summaries, segments, lifetimes);
criterion_main!(kernels);
