"""Times reading and judging a large file against merely reading it.

    cargo build --release
    python benches/read_and_judge.py [--operations 1000] [--deploys 6] [--runs 3] [--keep DIR]

Makes an invented fleet (50 services, 1,000 operations, five signals, four weeks of 5-minute points: 5,000 series,
40 million rows in the long form, one Parquet file), then runs two programs on it in turn, each in a process of its
own:

    read     pyarrow.parquet.read_table(file), the whole table in memory, and nothing else
    report   fortnight report --format json, the whole main job

and prints for each the seconds of wall time, the peak of its resident memory, and what that is against three times
the decoded columns. Needs numpy and pyarrow. Files are read once before timing, so that both find them in the cache.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SERVICES = 50
STEP_S = 300
DAYS = 28
START = np.datetime64("2026-10-05T00:00:00", "ms")
SIGNALS = [("latency_p50", "ms"), ("latency_p95", "ms"), ("latency_p99", "ms"), ("throughput", "requests/min"),
           ("error_rate", "ratio")]
TEXT = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema([("time", pa.timestamp("ms", tz="UTC")), ("service", TEXT), ("kind", TEXT), ("target", TEXT),
                    ("signal", TEXT), ("unit", TEXT), ("value", pa.float64())])


def smooth_noise(random, count, memory_h, spread):
    """First-order autoregression of standard deviation `spread` that forgets within `memory_h` hours."""
    keep = np.exp(-STEP_S / 3600 / memory_h)
    # The filter as a convolution: after eight memories nothing is left.
    taps = keep ** np.arange(int(8 * memory_h * 3600 / STEP_S))
    noise = np.convolve(random.normal(size=count + len(taps)), taps, mode="valid")[:count]
    return spread * noise * np.sqrt(1 - keep * keep)


def operation(random, hours, deploys, slower):
    """Five signals of one operation, in the order of SIGNALS; `slower` is the deploy at which it gets slower, or None."""
    count = len(hours)
    day = np.cos((hours % 24 - 14) / 24 * 2 * np.pi)
    weekend = (hours // 24 % 7) >= 5
    rate = np.exp(random.uniform(np.log(3), np.log(1500)) + random.uniform(0.2, 0.8) * day - 0.5 * weekend
                  + smooth_noise(random, count, 2, 0.05))
    requests = random.poisson(rate * STEP_S / 60)
    level = np.exp(random.uniform(np.log(30), np.log(900)) + 0.1 * day + smooth_noise(random, count, 3, 0.04))
    if slower is not None:
        level = level * np.where(hours >= deploys[slower], random.uniform(1.15, 1.6), 1.0)
    grain = 1 / np.sqrt(np.maximum(requests, 1))
    p50 = level * np.exp(grain * random.normal(size=count))
    p95 = 2.2 * level * np.exp(2 * grain * random.normal(size=count))
    p99 = 3.5 * level * np.exp(3 * grain * random.normal(size=count))
    failed = random.binomial(requests, np.exp(random.uniform(np.log(1e-4), np.log(1e-2)))) / np.maximum(requests, 1)
    return [p50, p95, p99, requests / (STEP_S / 60), failed]


def make(folder, operations, deploys_each=6):
    """Writes series.parquet, deploys.jsonl and fortnight.toml; returns the number of rows."""
    random = np.random.default_rng(14)
    count = DAYS * 86400 // STEP_S
    hours = np.arange(count) * STEP_S / 3600
    times = START + (np.arange(count) * STEP_S * 1000).astype("timedelta64[ms]")
    each = max(operations // SERVICES, 1)
    rows = 0
    with (open(folder / "deploys.jsonl", "w") as deploys_file,
          pq.ParquetWriter(folder / "series.parquet", SCHEMA, compression="zstd") as writer):
        for service in range(min(SERVICES, operations)):
            name = f"service-{service:02}"
            deploys = np.sort(random.choice(np.arange(15 * 24, 27 * 24), deploys_each, replace=False))
            for k, hour in enumerate(deploys):
                at = str(START + np.timedelta64(int(hour), "h"))[:19] + "Z"
                print(json.dumps({"id": f"{name}-{k}", "service": name, "at": at}), file=deploys_file)
            values, targets = [], [f"GET /{name}/v1/{k}" for k in range(each)]
            for k in range(each):
                slower = int(random.integers(len(deploys))) if random.uniform() < 0.05 else None
                values += operation(random, hours, deploys, slower)
            series = each * len(SIGNALS)

            def text(words, index):
                return pa.DictionaryArray.from_arrays(pa.array(np.repeat(index, count), pa.int32()), words)

            columns = [
                pa.array(np.tile(times, series), SCHEMA.field("time").type),
                text([name], np.zeros(series, np.int32)),
                text(["operation"], np.zeros(series, np.int32)),
                text(targets, np.repeat(np.arange(each), len(SIGNALS))),
                text([signal for signal, _ in SIGNALS], np.tile(np.arange(len(SIGNALS)), each)),
                text([unit for _, unit in SIGNALS], np.tile(np.arange(len(SIGNALS)), each)),
                pa.array(np.concatenate(values)),
            ]
            table = pa.Table.from_arrays(columns, schema=SCHEMA)
            writer.write_table(table)
            rows += table.num_rows
    (folder / "fortnight.toml").write_text(
        'memory_mb = 4096\n[[source]]\nkind = "files"\nseries = ["series.parquet"]\ndeploys = ["deploys.jsonl"]\n')
    return rows


# Started from a small process: Linux counts what the parent held before the start as the child's.
LAUNCH = """
import os, subprocess, sys, time
begin = time.perf_counter()
with open(sys.argv[1], "wb") as talk:
    child = subprocess.Popen(sys.argv[2:], stdout=talk, stderr=talk)
    _, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - begin, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def run(command, folder):
    """Runs a command; returns seconds of wall time and peak resident bytes, ending the script if it fails."""
    talk = folder / "talk.txt"
    launched = subprocess.run([sys.executable, "-c", LAUNCH, str(talk), *command], check=True, capture_output=True)
    seconds, peak, code = launched.stdout.split()
    if int(code) != 0:
        sys.exit(f"{command[0]} ended with {int(code)}:\n{talk.read_text(errors='replace')}")
    # Linux counts in KiB, macOS in bytes.
    return float(seconds), int(peak) * (1 if sys.platform == "darwin" else 1024)


READ = """
import sys
import pyarrow.parquet as pq
table = pq.read_table(sys.argv[1])
print(table.num_rows, table.nbytes)
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--deploys", type=int, default=6, help="of each service, in the fortnight that is judged")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--fortnight", default="target/release/fortnight")
    parser.add_argument("--keep", type=pathlib.Path, help="make the files here once, and use them again")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or pathlib.Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        series = folder / "series.parquet"
        if not (folder / "fortnight.toml").exists():
            make(folder, args.operations, args.deploys)
        read = [sys.executable, "-c", READ, str(series)]
        report = [args.fortnight, "report", "-c", str(folder / "fortnight.toml"), "--from", "2026-10-19",
                  "--to", "2026-11-02", "--format", "json", "--out", str(folder / "out")]
        run(read, folder)
        rows, decoded = map(int, (folder / "talk.txt").read_text().split())
        print(f"{rows:,} rows, {series.stat().st_size / 2**20:,.0f} MiB in the file, "
              f"{decoded / 2**20:,.0f} MiB decoded; {os.cpu_count()} processors")
        seconds, peaks = {"read": [], "report": []}, {"read": [], "report": []}
        # In turn, so that a busy minute of the machine hits both.
        for _ in range(args.runs):
            for name, command in (("read", read), ("report", report)):
                took, peak = run(command, folder)
                seconds[name].append(took)
                peaks[name].append(peak)
        print(f"{'':8}{'median s':>10}{'least s':>10}{'peak MiB':>10}{'of 3 x decoded':>16}")
        for name in seconds:
            peak = max(peaks[name])
            print(f"{name:8}{statistics.median(seconds[name]):10.2f}{min(seconds[name]):10.2f}"
                  f"{peak / 2**20:10,.0f}{peak / (3 * decoded):16.2f}")
        ratio = statistics.median(seconds["report"]) / statistics.median(seconds["read"])
        print(f"report / read: {ratio:.2f}")


if __name__ == "__main__":
    main()
