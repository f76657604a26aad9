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
    bundle = verbs.add(
        "bundle",
        run=_bundle,
        summary="name what is published now, with a catalog for SQL",
        description=(
            "Makes bundles/DATE: copies of all manifests, a DuckLake catalog, a page, a note on rights, and a manifest "
            "with their digests; and the same as bundles/latest. A bundle never changes, and its tables stay until it "
            "is removed. Where the newest has the same tables, nothing is made."
        ),
        examples=["tables bundle", "tables bundle --list", "tables bundle --remove 2026-11-26"],
        json=True,
    )
    which = bundle.add_mutually_exclusive_group()
    which.add_argument("--list", action="store_true", help="only list the bundles that are there")
    which.add_argument("--remove", metavar="NAME", help="remove this one, such as 2026-11-26")
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

    _meet(settings)
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

    _meet(settings)
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


def _bundle(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.table_set.bundle_reading import bundle_names, read_bundle
    from genbank_assets.table_set.bundles import make_bundle, remove_bundle
    from genbank_assets.table_set.manifests import open_tables

    _meet(settings)
    progress = show_progress(options)
    if options.remove:
        remove_bundle(settings, options.remove, progress=progress)
        print(f"{options.remove} is removed; genbank-assets tables prune deletes the tables that nothing else lists")
        return 0
    if options.list:
        store = open_tables(settings, 2)
        names = bundle_names(store, progress=progress)
        found = [(bundle, "") for name in names if (bundle := read_bundle(store, name, progress=progress))]
    else:
        made, is_new = make_bundle(settings, progress=progress)
        found = [(made, "" if is_new else " was made already of the same tables")]
    for bundle, note in found:
        if options.json:
            print(json.dumps({"name": bundle.name, "tables": bundle.tables, "records": bundle.records}))
        else:
            print(
                f"{bundle.name}{note}: {len(bundle.divisions)} release(s) of divisions, {bundle.tables:,} tables with "
                f"{bundle.table_bytes:,} bytes, {bundle.records:,} records"
            )
    return 0


def _prune(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.table_set.prune import prune_tables

    _meet(settings)
    return run_prune(options, settings, prune=prune_tables, what="tables")


def _meet(settings: Settings) -> None:
    """Fail at once where the place does not answer, before the command waits for it as for one that restarts."""
    from genbank_assets.objects.contact import meet_objects
    from genbank_assets.table_set.manifests import tables_settings

    meet_objects(tables_settings(settings))
