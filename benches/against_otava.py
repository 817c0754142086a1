"""Times Apache Otava on the same series that `fortnight report` judges, each on one core.

    cargo build --release
    python benches/against_otava.py [--operations 50] [--series 20]

Makes the fleet of `read_and_judge.py` (smaller), times Otava's own package with its defaults on the p95 of some
operations (the last 14 days of 5-minute points: 4,032), and `fortnight report` on the whole file, reading and
writing included, on one thread. Prints series a second of each and the ratio. Needs numpy, pyarrow and
apache-otava 0.8.0. Otava looks at one series at a time and knows no deploys; fortnight also fits the season, the
load and the noise of each, and measures the step at every deploy.
"""

import argparse
import os
import pathlib
import sys
import tempfile
import time

import pyarrow.compute as pc
import pyarrow.parquet as pq
from otava.series import AnalysisOptions, Metric, Series

import read_and_judge

POINTS = 14 * 86400 // read_and_judge.STEP_S


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--operations", type=int, default=50)
    parser.add_argument("--series", type=int, default=20)
    parser.add_argument("--fortnight", default="target/release/fortnight")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        rows = read_and_judge.make(folder, args.operations)
        series = rows // (read_and_judge.DAYS * 86400 // read_and_judge.STEP_S)

        table = pq.read_table(folder / "series.parquet")
        table = table.filter(pc.equal(table["signal"].cast("string"), "latency_p95"))
        targets = pc.unique(table["target"].cast("string")).to_pylist()[:args.series]
        took, found = 0.0, 0
        for target in targets:
            values = table.filter(pc.equal(table["target"].cast("string"), target))["value"].to_pylist()[-POINTS:]
            times = [index * read_and_judge.STEP_S for index in range(len(values))]
            one = Series(target, None, times, {"p95": Metric(-1, 1.0)}, {"p95": values}, {})
            begin = time.process_time()
            found += len(one.analyze(AnalysisOptions()).change_points["p95"])
            took += time.process_time() - begin
        otava = len(targets) / took
        print(f"otava: {otava:.1f} series/s, {found / len(targets):.1f} change points a series")

        os.environ["RAYON_NUM_THREADS"] = "1"
        seconds, _ = read_and_judge.run(
            [args.fortnight, "report", "-c", str(folder / "fortnight.toml"), "--from", "2026-10-19", "--to",
             "2026-11-02", "--format", "json", "--out", str(folder / "out")], folder)
        print(f"fortnight: {series / seconds:.1f} series/s of {series}, reading and report included")
        print(f"fortnight / otava: {series / seconds / otava:.1f}")


if __name__ == "__main__":
    sys.exit(main())
