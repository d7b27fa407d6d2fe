#!/usr/bin/env python3
"""Our jobs and what one would use instead, in turn and on the same data; prints CPU and wall seconds and their ratios.

    python3 -m venv VENV
    VENV/bin/pip install lifetimes==0.11.3 "numpy<2" "pandas<2.2" "scipy<1.12" polars==2.1.0 duckdb==2.0.0
    VENV/bin/python benches/rivals.py [JOB ...] [--repeat 3]

CPU seconds are user and system time of all threads; the best of the repeats counts, for both sides. Making the data is not
timed. Machines differ and are shared: read the ratios.
"""
import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
BG = dict(r=0.2426, alpha=4.4136, a=0.7929, b=2.4259)
PARETO = dict(r=0.553, alpha=10.578, s=0.606, beta=11.669)
GG = dict(p=6.25, q=3.74, v=15.44)


def uniform(seed, n):
    """SplitMix64 at positions 0..n: the same numbers as benches/jobs/splitmix.rs."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(11)).astype(float) / 2**53


def customers(n=1_000_000, seed=1):
    """Customers of a shop like CDNOW after 39 weeks: x, t_x and T in days, mean spend (Pareto/NBD and Gamma-Gamma)."""
    rng = np.random.default_rng(seed)
    age = 273 - rng.integers(0, 84, n)
    rate = rng.gamma(0.553, 1 / 10.578, n) / 7
    hazard = rng.gamma(0.606, 1 / 11.669, n) / 7
    life = np.minimum(rng.exponential(1, n) / hazard, age.astype(float))
    x = rng.poisson(rate * life)
    last = np.where(x > 0, np.ceil(life * rng.random(n) ** (1 / np.maximum(x, 1))), 0)
    last = np.minimum(last, age).astype(int)
    x = np.minimum(x, last)  # one purchase a day at most
    scale = rng.gamma(GG["q"], 1 / GG["v"], n)
    spend = rng.gamma(GG["p"] * np.maximum(x, 1), 1.0, n) / scale / np.maximum(x, 1)
    return x, last, age, np.where(x > 0, np.round(np.maximum(spend, 0.01), 2), 0.0)


def lifetimes_job(task):
    def prepare():
        import pandas as pd
        x, last, age, spend = customers()
        return [pd.Series(v) for v in (x, last / 7.0, age / 7.0, spend)]

    def work(data):
        import pandas as pd
        from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter
        x, t_x, age, spend = data
        pareto = task.startswith("pareto")
        model, money = ParetoNBDFitter() if pareto else BetaGeoFitter(), GammaGammaFitter()
        model.params_, money.params_ = pd.Series(PARETO if pareto else BG), pd.Series(GG)
        if task == "bg_nbd.fit":
            model.fit(x, t_x, age)
            return dict(params=dict(model.params_))
        if task == "pareto_nbd.fit":
            model.fit(x, t_x, age, maxiter=10_000)
            return dict(params=dict(model.params_))
        if task == "gamma_gamma.fit":
            repeat = x > 0
            money.fit(x[repeat], spend[repeat])
            return dict(params=dict(money.params_))
        if task.endswith(".predict"):
            alive = model.conditional_probability_alive(x, t_x, age)
            ahead = model.conditional_expected_number_of_purchases_up_to_time(39, x, t_x, age)
            return dict(alive=float(np.sum(alive)), purchases=float(np.sum(ahead)))
        model.predict = model.conditional_expected_number_of_purchases_up_to_time
        value = money.customer_lifetime_value(model, x, t_x, age, spend, time=12, discount_rate=0.01, freq="W")
        return dict(value=float(value.sum()))

    return prepare, work


def rfm_data(n=10_000_000, m=1_000_000):
    import polars as pl
    ids = (uniform(11, n) ** 2 * m).astype("int64")
    days = (uniform(12, n) * 730).astype("int32")
    return pl.DataFrame({"c": ids, "d": days, "a": (100 + uniform(13, n) ** 3 * 20000).astype("int64")})


def rfm(data):
    import polars as pl
    by = data.lazy().group_by("c")
    g = by.agg(pl.col("d").max().alias("last"), pl.len().alias("f"), pl.col("a").sum().alias("m")).collect()

    def score(values):
        return np.searchsorted(np.quantile(values, [0.2, 0.4, 0.6, 0.8]) + 1, values, side="right") + 1

    r, f, m = (score(v) for v in (730 - g["last"].to_numpy(), g["f"].to_numpy(), g["m"].to_numpy()))
    return dict(customers=len(r), checksum=int(((6 - r) * 100 + f * 10 + m).sum()))


def retention_data(n=10_000_000, m=1_000_000):
    import duckdb
    import pandas as pd
    events = pd.DataFrame({"u": (uniform(21, n) ** 2 * m).astype("int64"), "w": (uniform(22, n) * 364).astype("int32") // 7})
    connection = duckdb.connect()
    connection.register("events", events)
    connection.execute("create table t as select * from events")
    return connection


def retention(connection):
    cells = connection.execute(
        """with x as (select distinct u, w from t), f as (select u, min(w) c from x group by u)
           select f.c, x.w - f.c k, count(*) n from x join f using (u) group by 1, 2"""
    ).fetchnumpy()
    return dict(cells=len(cells["n"]), total=int(cells["n"].sum()))


RIVALS = {f"lifetime.{task}": ("lifetimes", *lifetimes_job(task))
          for task in ("bg_nbd.fit", "pareto_nbd.fit", "gamma_gamma.fit", "bg_nbd.predict", "pareto_nbd.predict", "bg_nbd.value")}
RIVALS["segment.rfm"] = ("polars", rfm_data, rfm)
RIVALS["retention.weekly"] = ("duckdb", retention_data, retention)


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def rival(job, repeat):
    _, prepare, work = RIVALS[job]
    repeat = 1 if job == "lifetime.pareto_nbd.fit" else repeat  # it takes minutes
    data, runs = prepare(), []
    for _ in range(repeat):
        wall, used = time.perf_counter(), cpu()
        check = work(data)
        runs.append((cpu() - used, time.perf_counter() - wall))
    cpu_s, wall_s = min(runs)
    return dict(cpu_s=cpu_s, wall_s=wall_s, check=check)


def ours(job, repeat, folder):
    command = ["cargo", "bench", "-q", "--bench", "jobs", "--", job, "--repeat", str(repeat), "--data", folder]
    out = subprocess.run(command, cwd=os.path.dirname(HERE), capture_output=True, text=True, check=True).stdout
    return json.loads(next(line for line in out.splitlines() if line.startswith("{")))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(RIVALS))
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    jobs = args.jobs or list(RIVALS)
    with tempfile.TemporaryDirectory() as folder:
        np.savetxt(os.path.join(folder, "sim1m.csv"), np.column_stack(customers()), delimiter=",", comments="",
                   header="x,t_x_days,T_days,mean_repeat_spend", fmt=["%d", "%d", "%d", "%.2f"])
        print("| job | rival | ours, CPU s | rival, CPU s | ratio | ours, wall s | rival, wall s | ratio |")
        print("|---|---|---|---|---|---|---|---|")
        for job in jobs:
            o, r = ours(job, args.repeat, folder), rival(job, args.repeat)
            print(f"| {job} | {RIVALS[job][0]} | {o['cpu_s']:.3f} | {r['cpu_s']:.2f} | {r['cpu_s'] / o['cpu_s']:.1f} "
                  f"| {o['wall_s']:.3f} | {r['wall_s']:.2f} | {r['wall_s'] / o['wall_s']:.1f} |", flush=True)
            print(f"ours {json.dumps(o['check'])}\nrival {json.dumps(r['check'])}", file=sys.stderr)


if __name__ == "__main__":
    main()
