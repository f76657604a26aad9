"""Rate of sending an object set, compared with a pool of boto3 threads with the same concurrency on the same server.

Sequences of 4 KB are sent to ``rclone serve s3`` on loopback (or to --endpoint, with credentials in AWS's variables):
by this package as objects, by boto3 as objects with the same keys, and twelve times as many in packs; then twice as
many, to compare memory; and 500 through a proxy that answers 503 to a fifth of the requests. Each runs in a separate
process; rates are medians of alternating repeats. The bucket is created if needed; objects remain in it, so a second
run needs an empty one.

    python benchmarks/objects.py [--sequences 5000] [--repeats 5] python benchmarks/objects.py --endpoint URL --server
    "Ceph 16.2.15, radosgw" [--bucket NAME]
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import hashlib
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets import __version__
from genbank_assets.measure import peak_memory_bytes
from genbank_assets.objects.keys import sequence_key
from genbank_assets.objects.send_file import WANTED, FileSender, chunks
from genbank_assets.objects.store import open_objects
from genbank_assets.objects.upload import Uploader
from genbank_assets.schema.tables import SEQUENCE_SCHEMA
from genbank_assets.settings import Settings

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # the tests and their servers are not installed with the package
from genbank_assets_tests.fix_s3 import S3Server, ThrottlingProxy, rclone_server  # noqa: E402

RESIDUES = 4096
CONCURRENCY = 10
PACKED_TIMES = 12  # as many sequences as for objects would not fill one pack


def make_table(path: Path, count: int) -> None:
    """A chunk table of ``count`` random sequences."""
    letters = np.frombuffer(b"ACGT", dtype=np.uint8)
    draw = np.random.default_rng(count)
    with pq.ParquetWriter(path, SEQUENCE_SCHEMA, compression="zstd") as writer:
        for first in range(0, count, 1000):
            size = min(1000, count - first)
            text = letters[draw.integers(0, 4, size * RESIDUES, dtype=np.uint8)].tobytes().decode()
            residues = [text[i : i + RESIDUES] for i in range(0, len(text), RESIDUES)]
            columns = [list(range(first, first + size)), [0] * size, residues]
            writer.write_table(pa.table(columns, schema=SEQUENCE_SCHEMA))


def ordered(path: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The ordinals of a chunk table's records."""
    return np.arange(pq.read_metadata(path).num_rows, dtype=np.int64)


def wanted_of(path: Path) -> pl.DataFrame:
    """What has to be sent of a chunk table."""
    digests = [hashlib.sha256(residues).digest() for _, residues in chunks(path, ordered(path))]
    columns = {"record_ordinal": ordered(path), "sequence_sha256": digests}
    rest = {"molecule_class": pl.lit("nucleotide"), "length": pl.lit(RESIDUES, pl.Int64), "in_set": pl.lit(value=False)}
    return pl.DataFrame(columns).with_columns(**rest).select(WANTED.keys())


def ours(path: Path, *, prefix: str, packing: bool, concurrency: int = CONCURRENCY) -> dict[str, Any]:
    """Send a chunk table by the code of stage 5."""
    settings = Settings(objects=f"s3://{os.environ['BENCH_BUCKET']}/{prefix}")
    wanted = wanted_of(path)
    start, used = time.perf_counter(), time.process_time()
    store, retrying_store = open_objects(settings, retries=0), open_objects(settings)
    uploader = Uploader(store, retrying_store=retrying_store, concurrency=concurrency)
    FileSender(uploader, packing=packing, refget=False).send(path, wanted)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    return {"seconds": seconds, "cpu_seconds": cpu, "memory": peak_memory_bytes(), **vars(uploader.counts)}


def boto3_pool(path: Path, *, prefix: str) -> dict[str, Any]:
    """Send the same by boto3 from a pool of threads."""
    import boto3
    from botocore.config import Config

    client = boto3.client("s3", config=Config(s3={"addressing_style": "path"}, max_pool_connections=CONCURRENCY))
    keys = [sequence_key(d.hex(), molecule_class="nucleotide") for d in wanted_of(path)["sequence_sha256"]]

    def put(number: int, residues: bytes) -> None:
        key = f"{prefix}/{keys[number]}"
        client.put_object(Bucket=os.environ["BENCH_BUCKET"], Key=key, Body=residues)

    start, used = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        for future in [pool.submit(put, n, bytes(r)) for n, r in chunks(path, ordered(path))]:
            future.result()
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    return {"seconds": seconds, "cpu_seconds": cpu, "memory": peak_memory_bytes()}


def apart(function: Callable[..., dict[str, Any]], path: Path, **options: Any) -> dict[str, Any]:
    """Run a measurement in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, (path,), options)


def make_bucket(server: S3Server) -> None:
    """Make the bucket, or see that it is empty: objects that are there already would not be sent.

    Raises:
        SystemExit: the bucket holds objects.
    """
    client = server.client()
    if server.bucket not in {bucket["Name"] for bucket in client.list_buckets()["Buckets"]}:
        client.create_bucket(Bucket=server.bucket)
    elif client.list_objects_v2(Bucket=server.bucket, MaxKeys=1).get("Contents"):
        raise SystemExit(f"bucket {server.bucket} holds objects: name another one by --bucket")


def measure(options: argparse.Namespace, server: S3Server, folder: Path) -> dict[str, Any]:
    """All measurements on one server."""
    os.environ.update(server.environment, BENCH_BUCKET=server.bucket)
    make_bucket(server)
    table, double, few, many = (folder / f"{name}.parquet" for name in ("n", "2n", "few", "many"))
    make_table(table, options.sequences)
    make_table(double, 2 * options.sequences)
    make_table(few, 500)
    make_table(many, PACKED_TIMES * options.sequences)
    runs: dict[str, list[dict[str, Any]]] = {"objects": [], "boto3": [], "packs": []}
    for number in range(options.repeats):
        runs["objects"].append(apart(ours, table, prefix=f"o{number}", packing=False))
        runs["boto3"].append(apart(boto3_pool, table, prefix=f"b{number}"))
        runs["packs"].append(apart(ours, many, prefix=f"p{number}", packing=True))
    twice = apart(ours, double, prefix="twice", packing=False)
    with ThrottlingProxy(server, share=0.2) as proxy:
        os.environ["AWS_ENDPOINT_URL"] = proxy.endpoint
        throttled = apart(ours, few, prefix="throttled", packing=False, concurrency=500)
        throttled |= {"refused": proxy.refused, "arrived": len(server.keys("throttled/"))}
    median = {name: statistics.median(run["seconds"] for run in found) for name, found in runs.items()}
    return {
        "puts_per_second": {name: options.sequences / seconds for name, seconds in median.items() if name != "packs"},
        "ratio_to_boto3": median["boto3"] / median["objects"],
        "pack_megabytes_per_second": PACKED_TIMES * options.sequences * RESIDUES / 1e6 / median["packs"],
        "cpu_microseconds": {
            name: statistics.median(run["cpu_seconds"] for run in runs[name]) / options.sequences * 1e6
            for name in ("objects", "boto3")
        },
        "memory_megabytes": {name: max(run["memory"] for run in found) / 1e6 for name, found in runs.items()},
        "memory_megabytes_twice_as_many": twice["memory"] / 1e6,
        "throttled": throttled,
    }


def show(found: dict[str, Any], options: argparse.Namespace) -> str:
    """The page of results."""
    rates, memory, throttled = found["puts_per_second"], found["memory_megabytes"], found["throttled"]
    cpu = {name: f"{microseconds:,.0f} µs" for name, microseconds in found["cpu_microseconds"].items()}
    packed = f"ours, {PACKED_TIMES * options.sequences:,} in packs"

    def rate(name: str) -> str:
        return f"{rates[name]:,.0f} PUT/s"

    rows = [
        ("ours, objects", rate("objects"), cpu["objects"], f"{found['ratio_to_boto3']:.1f} x", memory["objects"]),
        ("boto3, threads", rate("boto3"), cpu["boto3"], "1", memory["boto3"]),
        (packed, f"{found['pack_megabytes_per_second']:,.0f} MB/s of residues", "", "", memory["packs"]),
        (
            f"ours, {2 * options.sequences:,} objects", "", "", "", found["memory_megabytes_twice_as_many"],
        ),
    ]  # fmt: skip
    lines = [
        f"# Object set {__version__}, {dt.date.today()}",
        "",
        f"{options.sequences:,} sequences of {RESIDUES:,} residues, concurrency {CONCURRENCY}, medians of "
        f"{options.repeats}; server: {options.server or options.endpoint or 'rclone serve s3'} on the same machine "
        f"({os.cpu_count()} cores, {platform.machine()}); obstore {version('obstore')}, boto3 {version('boto3')}.",
        "",
        "| what | rate | CPU of the client for each | against boto3 | peak memory |",
        "|---|--:|--:|--:|--:|",
        *(f"| {what} | {speed} | {used} | {ratio} | {peak:,.0f} MB |" for what, speed, used, ratio, peak in rows),
        "",
        f"500 uploads at once with a fifth of the requests refused by 503: {throttled['arrived']} arrived, "
        f"{throttled['refused']} refusals, {throttled['retries']} requests repeated, {throttled['errors']} "
        f"upload errors ({throttled['errors'] / throttled['attempts']:.1%}), {throttled['seconds']:.1f} s.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sequences", type=int, default=5000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--endpoint", help="another S3 server; keys from AWS's own variables")
    parser.add_argument("--bucket", default="genbank-assets-bench")
    parser.add_argument("--server", default="", help="what the server is, for the page; its first word names the file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        if options.endpoint:
            keys = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
            server = S3Server(options.endpoint, options.bucket, *keys)
        else:
            server = stack.enter_context(rclone_server(Path(scratch) / "server"))
        found = measure(options, server, Path(scratch))
    print(json.dumps(found, indent=1))
    page = show(found, options)
    print(page)
    name = "objects" if not options.endpoint else f"objects-{(options.server.split() or ['endpoint'])[0].lower()}"
    (ROOT / "benchmarks" / "results" / f"{name}-{__version__}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
