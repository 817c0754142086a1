"""Writes the reference numbers that `tests/fast/statistics.rs` compares `src/stats/` with.

    python sample-data/stats/make_reference.py        # writes *.json beside itself

Made with NumPy 2.2, SciPy 1.16 and statsmodels 0.15. The JSON files are kept, so that tests need no Python;
run this again only when a function or a case changes. Every case holds its input (`null` is NaN) and what the
named public call, or a dense formula written out here, gives for it. Nothing here knows the Rust code.
"""

import json
import math
import pathlib

import numpy as np
from scipy import integrate, optimize, special, stats
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

HERE = pathlib.Path(__file__).parent


def write(name, call, cases):
    """Writes one file: the calls that made it, then its cases."""

    def clean(value):
        if isinstance(value, dict):
            return {key: clean(item) for key, item in value.items()}
        if isinstance(value, (list, tuple, np.ndarray)):
            return [clean(item) for item in value]
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        if isinstance(value, (int, np.integer)):
            return int(value)
        if isinstance(value, (float, np.floating)):
            # JSON has no infinity; "inf" is read back as one.
            return "inf" if math.isinf(value) else None if math.isnan(value) else float(value)
        return value

    lines = ",\n  ".join(json.dumps(clean(case)) for case in cases)
    (HERE / name).write_text(f'{{"made_by": {json.dumps(call)}, "cases": [\n  {lines}\n]}}\n')


def describe(random):
    cases = []
    shapes = [
        [3.0, 1, 4, 1, 5, 9, 2, 6],
        [7.5],
        [2.0, 2, 2, 2],
        [1, 2, 3, 4, 100],
        list(random.normal(0, 1, 101).round(6)),
        list(np.exp(random.normal(0, 3, 64)).round(6)),
        list(random.normal(1e9, 1e-3, 40)),
        list(-random.pareto(1.5, 33).round(6)),
        # Long enough for the sampled forms to leave values out, with odd quotients and even ones.
        list(random.normal(0, 1, 5000).round(4)),
        list(random.normal(5, 2, 2500).round(4)),
    ]
    holes = list(random.normal(0, 1, 50).round(6))
    holes[3] = holes[17] = holes[49] = math.nan
    for values in shapes + [holes]:
        array = np.array(values, dtype=float)
        kept = array[~np.isnan(array)]
        def sampled(wanted):
            some = array[:: max(len(array) // wanted, 1) | 1]
            return some[~np.isnan(some)]

        shares = [0.0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.999, 1.0]
        cases.append({
            "values": values,
            "shares": shares,
            "quantiles": np.quantile(kept, shares, method="linear"),
            "median": np.median(kept),
            "robust_sd": stats.median_abs_deviation(kept, scale="normal"),
            "rough_median": np.median(sampled(512)),
            "rough_sd": stats.median_abs_deviation(sampled(320), scale="normal"),
        })
    write("describe.json", "numpy.quantile(method='linear'), numpy.median, scipy.stats.median_abs_deviation(scale='normal'); "
          "rough_*: the same of values[::max(len // n, 1) | 1], n 512 for the median and 320 for the spread", cases)


def distribution():
    cases = []
    for df in [1, 1.5, 2, 3, 4.7, 10, 30, 99.5, 400, 1199, math.inf]:
        law = stats.norm if math.isinf(df) else stats.t(df)
        xs = [0.0, 0.1, 0.7, 1.0, 1.96, 2.5, 3.3, 4.8, 6.0, 9.0, 15.0, 30.0]
        shares = [1e-6, 1e-4, 0.001, 0.025, 0.2, 0.5, 0.8, 0.9, 0.95, 0.975, 0.995, 0.9999]
        cases.append({
            "df": df,
            "x": xs,
            "two_sided_p": [2 * law.sf(x) for x in xs],
            "lower_tail_of_minus_x": [law.cdf(-x) for x in xs],
            "lower_tail_of_x": [law.cdf(x) for x in xs],
            "share": shares,
            "quantile": [law.ppf(share) for share in shares],
        })
    # From 1200 degrees of freedom on the normal stands in.
    write("distribution.json", "2 * scipy.stats.t.sf(x, df), t.cdf, t.ppf; scipy.stats.norm for df = inf", cases)


def upper_mid(k, n, share):
    """P(X > k) + P(X = k) / 2; by the incomplete beta where a count is fractional."""
    if float(k).is_integer() and float(n).is_integer():
        return stats.binom.sf(k, n, share) + 0.5 * stats.binom.pmf(k, n, share)

    def at_least(k):
        return 1.0 if k <= 0 else 0.0 if k >= n + 1 else special.betainc(k, n - k + 1, share)

    return 0.5 * (at_least(k) + at_least(k + 1))


def counts():
    cases = []
    for failed, requests in [
        ([5, 14], [1000, 1000]),
        ([0, 0], [1000, 1000]),
        ([0, 6], [20_000, 10_000]),
        ([6, 0], [20_000, 10_000]),
        ([1, 0], [50, 50]),
        ([3, 4], [123, 77]),
        ([120, 190], [1_000_000, 900_000]),
        ([12_345, 12_346], [10_000_000, 10_000_000]),
        ([2_000, 2_600], [40_000, 40_000]),
        ([1, 300], [1_000_000, 3_000]),
        ([50, 50], [50, 50]),
        ([0, 10], [100, 10]),
        ([2.5, 7.25], [310.5, 290.25]),
        ([0.4, 3.3], [900.0, 1100.0]),
    ]:
        k, n = failed[1], failed[0] + failed[1]
        share = requests[1] / (requests[0] + requests[1])
        case = {"failed": failed, "requests": requests}
        above = upper_mid(k, n, share)
        case["equal_shares_p"] = min(1.0, 2 * min(above, 1 - above)) if n > 0 else 1.0
        low, high = 0.0, math.inf
        if n > 0:
            def ratio(share):
                return share / (1 - share) * requests[0] / requests[1]

            if k > 0:
                low = ratio(optimize.brentq(lambda s: upper_mid(k, n, s) - 0.025, 0, 1, xtol=1e-15, rtol=1e-14))
            if failed[0] > 0:
                high = ratio(optimize.brentq(lambda s: upper_mid(k, n, s) - 0.975, 0, 1, xtol=1e-15, rtol=1e-14))
        case["ratio_interval"] = [low, high]
        case["difference_interval"] = confint_proportions_2indep(
            failed[1], requests[1], failed[0], requests[0], compare="diff", method="newcomb", alpha=0.05)
        case["wilson"] = [proportion_confint(f, r, alpha=0.05, method="wilson") for f, r in zip(failed, requests)]
        cases.append(case)
    write("counts.json", "p: scipy.stats.binom.sf(k, n, share) + binom.pmf / 2 (scipy.special.betainc for fractional counts); "
          "ratio: the same solved by scipy.optimize.brentq; difference: statsmodels confint_proportions_2indep(method='newcomb'); "
          "statsmodels proportion_confint(method='wilson')", cases)


def fdr(random):
    lists = [[0.01, 0.04, 0.03, 0.005, 0.55], [1.0], [0.0, 0.0, 1.0], [0.02] * 7,
             list(random.uniform(0, 1, 60)), list(random.uniform(0, 1, 200) ** 4)]
    write("fdr.json", "scipy.stats.false_discovery_control(p, method='bh')",
          [{"p": p, "q": stats.false_discovery_control(p, method="bh")} for p in lists])


def slope(random):
    cases = []
    for n, spread in [(5, 1.0), (28, 0.3), (13, 10.0)]:
        x = random.uniform(0, 30, n).round(4)
        y = (0.7 * x + random.standard_t(1.5, n) * spread).round(5)
        cases.append({"x": x, "y": y, "slope": stats.theilslopes(y, x).slope})
    # Equal x are no pair.
    x = np.array([0, 0, 1, 2, 2, 5.0])
    y = np.array([1, 9, 2, 4, 3, 8.0])
    cases.append({"x": x, "y": y, "slope": stats.theilslopes(y, x).slope})
    write("slope.json", "scipy.stats.theilslopes(y, x).slope", cases)


def ar1(random, n, phi, variance):
    out = np.empty(n)
    out[0] = random.normal(0, math.sqrt(variance))
    for t in range(1, n):
        out[t] = phi * out[t - 1] + random.normal(0, math.sqrt(variance * (1 - phi * phi)))
    return out


def autocovariance(random):
    """Moments and non-negative least squares as documented, by boolean masks and scipy.optimize.nnls.

    What levels took with them is the mean of exp(-|i - j| / constant) over a stretch, here by its integral.
    """
    lags = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 56, 88, 136, 192])
    cases = []
    for n, fast, slow, white, holes, uneven, stretches, slots in [
        (600, (5.0, 1.0), 0.5, 0.3, False, False, [], 0.0),
        (600, (18.0, 0.2), 0.0, 1.0, True, True, [], 0.0),
        (400, (1.5, 2.0), 3.0, 0.1, True, False, [], 0.0),
        (300, (5.0, 0.0), 0.0, 1.0, False, True, [], 0.0),
        (150, (8.0, 1.0), 0.0, 0.0, False, False, [], 0.0),
        (600, (5.0, 1.0), 0.5, 0.3, False, False, [600], 0.16),
        (600, (8.0, 0.5), 1.5, 0.3, True, True, [100, 0, 380], 0.2),
        (400, (1.5, 2.0), 3.0, 0.1, False, False, [30, 370], 0.7),
    ]:
        y = ar1(random, n, math.exp(-1 / fast[0]), fast[1]) + ar1(random, n, math.exp(-1 / 96.0), slow)
        y = (y + random.normal(0, math.sqrt(white), n)).round(5)
        w = random.uniform(0.2, 2, n).round(4) if uneven else np.ones(n)
        if holes:
            y[random.uniform(size=n) < 0.2] = math.nan

        def moment(lag):
            a, b = (y, y) if lag == 0 else (y[:-lag], y[lag:])
            wa, wb = (w, w) if lag == 0 else (w[:-lag], w[lag:])
            ok = ~np.isnan(a) & ~np.isnan(b)
            weight = np.sqrt(wa * wb)[ok]
            return (np.sum(weight * (a * b)[ok]) / weight.sum(), ok.sum()) if ok.any() else (0.0, 0)

        def taken(constant):
            lengths = [length for length in stretches if length > 0]
            if not lengths:
                return 0.0
            inside = [2 * integrate.quad(lambda u: (1 - u) * math.exp(-u * length / constant), 0, 1, epsabs=1e-13)[0]
                      for length in lengths]
            return min(np.average(inside, weights=lengths), 0.8)

        variance = moment(0)[0]
        values = np.array([moment(lag)[0] for lag in lags])
        root = np.sqrt(np.array([moment(lag)[1] for lag in lags]) / (1 + lags / 8))
        fast_left, white_left = 1 - min(2 * slots, 0.5), 1 - min(slots, 0.5)
        best = None
        for slow_constant in [96.0, 384.0]:
            for constant in [1.5, 3, 5, 8, 12, 18, 28]:
                slow_taken, fast_taken = taken(slow_constant), taken(constant)
                design = np.stack([(np.exp(-lags / constant) - fast_taken) * fast_left,
                                   np.exp(-lags / slow_constant) - slow_taken], axis=1)
                parts, error = optimize.nnls(design * root[:, None], values * root)
                if best is None or error < best[0] - 1e-12:
                    best = (error, constant, slow_constant, parts, [(1 - fast_taken) * fast_left, 1 - slow_taken])
        _, constant, slow_constant, parts, seen = best
        correlated = float(np.dot(parts, seen))
        shrink = min(1.0, variance / correlated) if correlated > 0 else 1.0
        cases.append({
            "residuals": y, "weights": w, "stretches": stretches, "slots": slots,
            "fast_phi": math.exp(-1 / constant), "fast_variance": parts[0] * shrink,
            "slow_phi": math.exp(-1 / slow_constant), "slow_variance": parts[1] * shrink,
            "white_variance": max(variance - correlated, 0.0) / white_left,
        })
    write("autocovariance.json", "weighted moments in numpy, scipy.optimize.nnls for each time constant, scipy.integrate.quad", cases)


def structural(random):
    """Dense generalised least squares: (XᵀC⁻¹X)⁻¹XᵀC⁻¹y with one column a level, C = fast + slow + diag(white)."""
    cases = []
    for n, fast, slow, holes, uneven, steps in [
        (60, (0.8, 1.0), (0.97, 0.5), False, False, []),
        (60, (0.8, 1.0), (0.97, 0.5), True, True, []),
        (90, (0.5, 0.3), (0.99, 2.0), True, True, [40]),
        (80, (0.9, 1.0), (0.99, 0.0), False, True, [20, 55]),
        (70, (0.9, 0.0), (0.99, 0.0), False, True, []),
        (120, (0.95, 4e-4), (0.9896, 1e-4), True, True, [30, 31, 90]),
    ]:
        spread = fast[1] + slow[1]
        white = (random.uniform(0.2, 2, n) if uneven else np.ones(n)) * (0.5 * spread if spread > 0 else 1.0)
        lag = np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
        cov = fast[1] * fast[0] ** lag + slow[1] * slow[0] ** lag + np.diag(white)
        # Half the noise keeps every innovation under the filter's clip of four standard deviations.
        y = 0.5 * np.linalg.cholesky(cov) @ random.normal(size=n) + 7.0
        for size, at in zip([1.0, -0.6, 0.8], steps):
            y[at:] += size * math.sqrt(cov[0, 0])
        if holes:
            gone = random.uniform(size=n) < 0.25
            gone[[0, n - 1]] = False
            y[gone] = math.nan
            y[n // 2 + 8:n // 2 + 15] = math.nan
        seen = ~np.isnan(y)
        inverse = np.linalg.inv(cov[np.ix_(seen, seen)])
        moments = sorted({3, n // 4, n // 2, n // 2 + 9, n - 4, *steps})
        found = []
        for at in moments:
            edges = [0, *sorted({*steps, at}), n]
            spans = [(a, b) for a, b in zip(edges, edges[1:])]
            columns = np.array([[a <= t < b for a, b in spans] for t in range(n)], dtype=float)[seen]
            told = columns.any(axis=0)
            after = [a for a, _ in spans].index(at)
            if not (told[after] and told[after - 1]):
                found.append({"at": at, "size": None, "variance": None})
                continue
            contrast = np.zeros(len(spans))
            contrast[after], contrast[after - 1] = 1, -1
            columns, contrast = columns[:, told], contrast[told]
            bread = np.linalg.inv(columns.T @ inverse @ columns)
            levels = bread @ columns.T @ inverse @ y[seen]
            found.append({"at": at, "size": contrast @ levels, "variance": contrast @ bread @ contrast})

        # Log-density without 2π, each level normal about the first value with 1e7 times the noise's variance.
        def fit(steps):
            edges = [0, *steps, n]
            columns = np.array([[a <= t < b for a, b in zip(edges, edges[1:])] for t in range(n)], dtype=float)[seen]
            whole = cov[np.ix_(seen, seen)] + 1e7 * (spread + white.min()) * columns @ columns.T
            rest = y[seen] - y[seen][0]
            return -0.5 * (np.linalg.slogdet(whole)[1] + rest @ np.linalg.solve(whole, rest))

        cases.append({"values": y, "white": white, "fast": fast, "slow": slow, "steps": steps, "found": found,
                      "fit": fit(steps)})
    write("structural.json", "dense generalised least squares with numpy.linalg; fit: multivariate normal log-density "
          "without 2 pi, levels with a prior variance of 1e7 x (fast + slow + least white)", cases)


if __name__ == "__main__":
    random = np.random.default_rng(20261109)
    describe(random)
    distribution()
    counts()
    fdr(random)
    slope(random)
    autocovariance(random)
    structural(random)
