"""The commands ``genbank-assets tables publish``, ``verify`` and ``prune``: arguments in, answers printed.

What they do belongs to the modules of these names in ``table_set``.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import uuid

from genbank_assets.cli.commands import Commands
from genbank_assets.cli.partitions import all_partitions, chosen_partitions, chosen_release
from genbank_assets.cli.progress import show_progress
from genbank_assets.cli.pruning import add_prune, run_prune
from genbank_assets.settings import Settings


def add_commands(commands: Commands) -> None:
    """Add ``tables`` with its verbs."""
    verbs = commands.add_verbs(
        "tables",
        summary="publish tables in the object store, compare and prune them",
        description=(
            "Publishes divisions' tables to GENBANK_ASSETS_TABLES (s3://bucket/prefix or file:///folder), where "
            "others read them without a store, and verifies and prunes them."
        ),
    )
    publish = verbs.add(
        "publish",
        run=_publish,
        summary="send the tables of these partitions",
        description=(
            "Sends the tables of each partition's newest release that can be read, then its manifest, then the index. "
            "What is there is not sent again; after a stop or a kill, run it again. Manifests of releases beyond "
            "GENBANK_ASSETS_KEEP_RELEASES are removed."
        ),
        examples=[
            "tables publish genbank/phg",
            "tables publish 'refseq/*'",
            "tables publish --release 273 genbank/phg",
        ],
        json=True,
    )
    publish.add_argument(
        "partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg; all that can be read by default"
    )
    publish.add_argument("--release", metavar="N", help="this release, such as 273, instead of the newest")
    verify = verbs.add(
        "verify",
        run=_verify,
        summary="check that everything the manifests list is there",
        description=(
            "Compares what is published with its manifests: presence, bytes and ETag of every table, the digest of "
            "those with another ETag than when they were sent and of a random sample, and the index. The exit code is "
            "1 when there is a problem."
        ),
        examples=["tables verify", "tables verify genbank/phg --sample 1000"],
        json=True,
    )
    verify.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg; all by default")
    verify.add_argument(
        "--sample", type=int, default=1, help="tables to read again of each release of a division (default 1)"
    )
    add_prune(
        verbs,
        run=_prune,
        summary="delete tables that no manifest lists",
        description=(
            "Deletes published tables that no manifest lists, and unfinished uploads, once they and the last "
            "publication of their division are old. All are printed before the first one is deleted."
        ),
        group="tables",
    )


def _publish(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.catalog.divisions import readable_releases
    from genbank_assets.errors import NotFoundError
    from genbank_assets.table_set.publish import publish_tables

    readable = readable_releases(settings.store)
    keys = chosen_partitions(options.partitions) or [key for key in all_partitions() if key in readable]
    if not keys:
        raise NotFoundError("no division of the store can be read yet: materialize records and unique_records first")
    release, run_id = chosen_release(options.release), f"cli-{uuid.uuid4().hex[:12]}"
    for key in keys:
        done = publish_tables(settings, key, release=release, run_id=run_id, progress=show_progress(options))
        manifest = done.manifest
        size = sum(table.bytes for table in manifest.tables)
        if options.json:
            summary: dict[str, object] = {
                "partition": str(key),
                "release": manifest.release,
                "url": done.url,
                "manifest": manifest.key,
            }
            summary |= {"tables": len(manifest.tables), "bytes": size, "sent": done.sent, "sent_bytes": done.sent_bytes}
            print(json.dumps(summary | {"retired": list(done.retired)}))
        else:
            print(
                f"{key} {manifest.release}: {len(manifest.tables)} table(s) with {size:,} bytes at {done.url}, "
                f"{done.sent} sent now"
            )
    return 0


def _verify(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.table_set.verify import verify_tables

    keys = chosen_partitions(options.partitions)
    found = verify_tables(settings, partitions=keys, sample=options.sample, progress=show_progress(options))
    if options.json:
        print(json.dumps(dataclasses.asdict(found), indent=1))
        return 1 if found.problems else 0
    for problem in found.problems:
        print(f"{problem.key}: {problem.what}")
    print(
        f"{found.manifests} release(s) of divisions, {found.tables:,} tables with {found.bytes:,} bytes, "
        f"{found.reread:,} read again: {len(found.problems):,} problem(s)"
    )
    if found.unlisted:
        print(f"{found.unlisted:,} tables that no manifest lists: see genbank-assets tables prune --dry-run")
    if found.problems:
        print("genbank-assets tables publish sends again what is missing or damaged")
    return 1 if found.problems else 0


def _prune(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.table_set.prune import prune_tables

    return run_prune(options, settings, prune=prune_tables, what="tables")
