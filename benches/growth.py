#!/usr/bin/env python3
"""The picture and the table of how the cost grows, from the line of the job:

cargo bench --bench jobs -- --repeat 5 lifetime.bg_nbd.growth | python3 benches/growth.py benches/growth.svg
"""

import json
import math
import sys

FROM_N, TO_N = 10_000, 10_000_000
FROM_S, TO_S = 1e-4, 1.0
LEFT, RIGHT, TOP, BOTTOM = 70, 560, 40, 350
GREY = 'fill="#555"'


def x(n):
    return LEFT + (RIGHT - LEFT) * math.log(n / FROM_N) / math.log(TO_N / FROM_N)


def y(seconds):
    return BOTTOM - (BOTTOM - TOP) * math.log(seconds / FROM_S) / math.log(TO_S / FROM_S)


def path(points):
    return "M" + "L".join(f"{x(n):.1f} {y(s):.1f}" for n, s in points)


def short(seconds):
    return f"{seconds:.4f}".lstrip("0")


def picture(rows):
    yield (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 400" font-family="system-ui, sans-serif" font-size="13" '
        'role="img" aria-label="CPU seconds of collapsing and fitting against the number of customers, both axes logarithmic">'
    )
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'
    for tick in (".0001", ".001", ".01", ".1", "1"):
        at = y(float(tick))
        line = "#555" if at == BOTTOM else "#ddd"
        yield f'<path d="M{LEFT} {at:.1f}H{RIGHT}" stroke="{line}"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4.5:.1f}" text-anchor="end" {GREY}>{tick}</text>'
    for n in (10_000, 100_000, 1_000_000, 10_000_000):
        yield f'<path d="M{x(n):.1f} {BOTTOM}v5" stroke="#555"/>'
        yield f'<text x="{x(n):.1f}" y="{BOTTOM + 20}" text-anchor="middle" {GREY}>{n:,}</text>'
    yield f'<text x="20" y="20" {GREY}>CPU seconds</text>'
    yield f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 42}" text-anchor="middle" {GREY}>customers</text>'
    first, last = rows[0], rows[-1]
    even = [(n, first["collapse_cpu_s"] * n / first["n"]) for n in (first["n"], last["n"])]
    yield f'<path d="{path(even)}" stroke="#999" stroke-dasharray="4 4" fill="none"/>'
    lines = [("collapse to distinct", "collapse_cpu_s", "#0b6e99"), ("fit the distinct", "fit_cpu_s", "#b3500f")]
    ends = [y(even[-1][1])] + [y(last[name]) for _, name, _ in lines]
    # Names that would touch move apart.
    if ends[1] - ends[0] < 14:
        ends[1] = ends[0] + 14
    yield f'<text x="{RIGHT + 8}" y="{ends[0] + 4.5:.1f}" fill="#777">in proportion to n</text>'
    for (label, name, colour), end in zip(lines, ends[1:]):
        points = [(row["n"], row[name]) for row in rows]
        yield f'<path d="{path(points)}" stroke="{colour}" stroke-width="2" fill="none"/>'
        for n, seconds in points:
            yield f'<circle cx="{x(n):.1f}" cy="{y(seconds):.1f}" r="3.5" fill="{colour}"/>'
        yield f'<text x="{RIGHT + 8}" y="{end + 4.5:.1f}" fill="{colour}">{label}</text>'
    yield "</svg>"


def main(to):
    rows = json.loads(sys.stdin.read())["check"]
    with open(to, "w") as out:
        out.write("\n".join(picture(rows)) + "\n")
    print("| customers | distinct (x, t_x, T) | collapse, s | fit, s |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row['n']:,} | {row['distinct']:,} | {short(row['collapse_cpu_s'])} | {short(row['fit_cpu_s'])} |")


if __name__ == "__main__":
    main(sys.argv[1])
