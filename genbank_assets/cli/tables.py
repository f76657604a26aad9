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
        summary="publish tables in a bucket; verify, bundle and prune them",
        description=(
            "Publishes tables of divisions in GENBANK_ASSETS_TABLES (s3://bucket/prefix or file:///folder), where "
            "others read them without a store, and verifies, bundles and prunes them."
        ),
    )
    _add_publish(verbs)
    _add_verify(verbs)
    _add_bundle(verbs)
    add_prune(
        verbs,
        run=_prune,
        summary="delete tables that no manifest lists",
        description=(
            "Deletes published tables that no manifest lists, and unfinished uploads, if they and the last publication "
            "of their division are old enough. All are printed before the first one is deleted."
        ),
        group="tables",
    )


def _add_publish(verbs: Commands) -> None:
    publish = verbs.add(
        "publish",
        run=_publish,
        summary="publish the tables of partitions",
        description=(
            "Uploads the tables of each partition's newest readable release, then its manifest, then the index. Tables "
            "already present are not uploaded again; after an interruption, run it again to resume. Manifests of "
            "releases beyond GENBANK_ASSETS_KEEP_RELEASES are removed."
        ),
        examples=[
            "tables publish genbank/phg",
            "tables publish 'refseq/*'",
            "tables publish --release 273 genbank/phg",
        ],
        json=True,
    )
    publish.add_argument(
        "partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all readable ones)"
    )
    publish.add_argument("--release", metavar="N", help="release to publish, such as 273 (default: the newest)")


def _add_verify(verbs: Commands) -> None:
    verify = verbs.add(
        "verify",
        run=_verify,
        summary="check that all listed tables exist and are intact",
        description=(
            "Compares the published tables with their manifests: existence, size and ETag of every table, the digest "
            "of those whose ETag has changed and of a random sample, and the index. The exit code is 1 if there are "
            "problems."
        ),
        examples=["tables verify", "tables verify genbank/phg --sample 1000"],
        json=True,
    )
    verify.add_argument("partitions", nargs="*", metavar="PARTITION", help="such as genbank/phg (default: all)")
    verify.add_argument(
        "--sample", type=int, default=1, help="number of tables to reread per release of a division (default 1)"
    )


def _add_bundle(verbs: Commands) -> None:
    bundle = verbs.add(
        "bundle",
        run=_bundle,
        summary="create a dated snapshot of the published tables, with an SQL catalog",
        description=(
            "Creates bundles/DATE with copies of all manifests, a DuckLake catalog, README, LICENSE, and a manifest "
            "with their digests, and updates bundles/latest. A bundle is immutable, and its tables are kept until it "
            "is removed. If the newest bundle has the same tables, no new one is created."
        ),
        examples=["tables bundle", "tables bundle --list", "tables bundle --remove 2026-11-26"],
        json=True,
    )
    which = bundle.add_mutually_exclusive_group()
    which.add_argument("--list", action="store_true", help="list the existing bundles")
    which.add_argument("--remove", metavar="NAME", help="remove a bundle, such as 2026-11-26")


def _publish(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.catalog.divisions import readable_releases
    from genbank_assets.errors import NotFoundError
    from genbank_assets.table_set.publish import publish_tables

    _meet(settings)
    readable = readable_releases(settings.store)
    keys = chosen_partitions(options.partitions) or [key for key in all_partitions() if key in readable]
    if not keys:
        raise NotFoundError("the store has no readable division: materialize records and unique_records first")
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
                f"{done.sent} uploaded now"
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
        f"{found.manifests} division release(s), {found.tables:,} tables with {found.bytes:,} bytes, "
        f"{found.reread:,} reread: {len(found.problems):,} problem(s)"
    )
    if found.unlisted:
        print(f"{found.unlisted:,} unlisted tables: see genbank-assets tables prune --dry-run")
    if found.problems:
        print("to upload missing and damaged tables again, run: genbank-assets tables publish")
    return 1 if found.problems else 0


def _bundle(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.table_set.bundle_reading import bundle_names, read_bundle
    from genbank_assets.table_set.bundles import make_bundle, remove_bundle
    from genbank_assets.table_set.manifests import open_tables

    _meet(settings)
    progress = show_progress(options)
    if options.remove:
        remove_bundle(settings, options.remove, progress=progress)
        print(
            f"{options.remove} is removed; to delete tables that are no longer listed, run: genbank-assets tables prune"
        )
        return 0
    if options.list:
        store = open_tables(settings, 2)
        names = bundle_names(store, progress=progress)
        found = [(bundle, "") for name in names if (bundle := read_bundle(store, name, progress=progress))]
    else:
        made, is_new = make_bundle(settings, progress=progress)
        found = [(made, "" if is_new else " already has the same tables")]
    for bundle, note in found:
        if options.json:
            print(json.dumps({"name": bundle.name, "tables": bundle.tables, "records": bundle.records}))
        else:
            print(
                f"{bundle.name}{note}: {len(bundle.divisions)} division release(s), {bundle.tables:,} tables with "
                f"{bundle.table_bytes:,} bytes, {bundle.records:,} records"
            )
    return 0


def _prune(options: argparse.Namespace, settings: Settings) -> int:
    from genbank_assets.table_set.prune import prune_tables

    _meet(settings)
    return run_prune(options, settings, prune=prune_tables, what="tables")


def _meet(settings: Settings) -> None:
    """Fail early if the object store does not respond, instead of waiting as during a run."""
    from genbank_assets.objects.contact import require_objects
    from genbank_assets.table_set.manifests import tables_settings

    require_objects(tables_settings(settings))
