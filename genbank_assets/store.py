"""Layout of the store folder, and the manifests that publish stages.

Each partition of a release is a folder, ``STORE/<collection>/<release>/<division>/``, with a sub-folder per stage. A
stage is published when its ``manifest.json`` exists: readers follow manifests only, so partially written files are
invisible. Paths and manifests belong here; replacing a stage's files belongs to ``generations``, their content to the
stages.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

from genbank_assets import __version__
from genbank_assets.durable import sweep_temporaries, temporary_beside, write_atomically
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.release_facts import release_sort_key
from genbank_assets.reports import REPORTS, StageReport

__all__ = [
    "FURTHER_STAGES",
    "INPUT_STAGES",
    "MANIFEST",
    "STAGES",
    "Manifest",
    "PartitionKey",
    "PartitionRelease",
    "Stage",
    "current_release",
    "publish_manifest",
    "read_manifest",
    "releases_in_store",
    "temporary_beside",
    "write_atomically",
]

Stage = Literal[
    "raw_files", "records", "unique_records", "postgres_table", "object_set", "samples", "cds", "blast_database"
]
STAGES: tuple[Stage, ...] = ("raw_files", "records", "unique_records", "postgres_table", "object_set")
# Optional tables derived from records; a release is complete without them. Search databases are not tables.
FURTHER_STAGES: tuple[Stage, ...] = ("samples", "cds")
#: Stage -> the stage whose manifest digest is its ``input_digest``.
INPUT_STAGES: dict[Stage, Stage] = {
    "records": "raw_files",
    "unique_records": "records",
    "postgres_table": "unique_records",
    "object_set": "unique_records",
}
MANIFEST = "manifest.json"
RETIRED = ".retired"  # marks a division's release that is about to be deleted: readers must not start with it
Report = TypeVar("Report", bound=StageReport)


@dataclasses.dataclass(frozen=True, order=True)
class PartitionKey:
    """One division of one collection, such as ``genbank/phg``.

    Attributes:
        collection: ``genbank`` or ``refseq``.
        division: a GenBank division such as ``phg``, or a RefSeq section such as ``viral``.
    """

    collection: str
    division: str

    def __str__(self) -> str:
        return f"{self.collection}/{self.division}"


@dataclasses.dataclass(frozen=True)
class PartitionRelease:
    """One division of one collection in one release, and its folders in the store.

    Attributes:
        store: the store's root folder.
        key: collection and division.
        release: release number such as ``273.0``, or a day as ``YYYYMMDD``.
    """

    store: Path
    key: PartitionKey
    release: str

    @property
    def folder(self) -> Path:
        """``STORE/<collection>/<release>/<division>``."""
        return self.store / self.key.collection / self.release / self.key.division

    @property
    def retired(self) -> Path:
        """Marker file of a retired release, whose files are deleted after a grace period for readers."""
        return self.folder / RETIRED

    def stage_folder(self, stage: Stage) -> Path:
        """Return the folder of a stage, with its manifest and generations; use :meth:`files_folder` to read files."""
        return self.folder / stage

    def generation_folder(self, stage: Stage, generation: str) -> Path:
        """Return the folder of a generation's files; generation "" (version 0.1.0) is the stage folder itself."""
        return self.stage_folder(stage) / generation

    def folder_of(self, manifest: Manifest) -> Path:
        """Return the folder that file names in a manifest of this partition are relative to.

        Use this with a manifest at hand: :meth:`files_folder` may already refer to a later one.
        """
        return self.generation_folder(manifest.stage, manifest.generation)

    def files_folder(self, stage: Stage) -> Path:
        """Return the folder of the published generation's files.

        Raises:
            NotFoundError: the stage is not published.
        """
        manifest = self.manifest(stage)
        if manifest is None:
            raise NotFoundError(f"{stage} of {self.key} {self.release} is not published yet; materialize it first")
        return self.folder_of(manifest)

    def manifest_path(self, stage: Stage) -> Path:
        """Return the path of the stage's manifest, whose existence publishes the stage."""
        return self.stage_folder(stage) / MANIFEST

    def manifest(self, stage: Stage) -> Manifest | None:
        """Return the stage's manifest, or None if the stage is not published."""
        path = self.manifest_path(stage)
        try:
            return read_manifest(path)
        except FileNotFoundError:
            return None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a stage published for one partition of one release.

    Attributes:
        stage: the stage.
        code_version: version of the code that determines this stage's output.
        collection: ``genbank`` or ``refseq``.
        release: the release as NCBI writes it, such as ``273.0`` or ``237``.
        division: division code or RefSeq section.
        input_digest: :attr:`digest` of the manifest this stage was made from ("" for raw files).
        files: one mapping of JSON values per file, each with at least ``name``.
        extra: JSON values about the whole partition (release date, object keys ...).
        report: figures of the run that wrote the manifest.
        run_id: the run that wrote it (a Dagster run id, or ``cli-...``).
        published_at: time of publication, ISO 8601 in UTC; "" in manifests of earlier versions.
        software_version: version of this package that wrote it; "" in manifests of earlier versions.
        generation: name of the files' folder within the stage folder; "" if they are beside the manifest.
        file_runs: file → id of the run that made it, if it may differ from ``run_id``. Version 0.1.0 recorded it in
            ``files``, where it is part of the digest; the digest of such manifests does not change.
    """

    stage: Stage
    code_version: str
    collection: str
    release: str
    division: str
    input_digest: str
    files: tuple[dict[str, Any], ...]
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    report: StageReport = dataclasses.field(default_factory=StageReport)
    run_id: str = ""
    published_at: str = ""
    software_version: str = ""
    generation: str = ""
    file_runs: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the content, independent of when, where and by which run it was made."""
        content = dataclasses.asdict(self)
        for name in ("report", "run_id", "published_at", "software_version", "generation", "file_runs"):
            del content[name]
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def run_of(self, entry: dict[str, Any]) -> str:
        """Return the id of the run that made a file of this manifest."""
        return str(self.file_runs.get(entry["name"]) or entry.get("run_id") or self.run_id)

    def report_as(self, kind: type[Report]) -> Report:
        """Return the report, typed as the report class of this manifest's stage.

        Raises:
            TypeError: this stage has a different report class.
        """
        if not isinstance(self.report, kind):
            raise TypeError(f"{self.stage} reports {type(self.report).__name__}, not {kind.__name__}")
        return self.report

    def to_json(self) -> str:
        """Return the manifest as indented JSON."""
        content = dataclasses.asdict(self)
        content["report"] = self.report.as_dict()
        return json.dumps(content, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Parse the result of :meth:`to_json`.

        Raises:
            IntegrityError: the text is not a manifest.
        """
        try:
            content = json.loads(text)
            content["files"] = tuple(content["files"])
            content["report"] = REPORTS.get(content["stage"], StageReport).from_dict(content["report"])
            return cls(**content)
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError(f"a manifest cannot be read: {error}") from error


def read_manifest(path: Path) -> Manifest:
    """Read a manifest file.

    Raises:
        FileNotFoundError: the file does not exist.
        IntegrityError: the file is not a manifest; the message names it.
    """
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"))
    except NotADirectoryError as error:
        raise FileNotFoundError(str(path)) from error
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error}; remove it and materialize its stage") from error


def publish_manifest(manifest: Manifest, *, partition: PartitionRelease) -> Manifest:
    """Write a stage's manifest, stamped with time and package version; readers see the old one or the new one.

    A copy is written to the generation's folder first: a generation without one was never visible to readers.
    """
    now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
    manifest = dataclasses.replace(manifest, published_at=now, software_version=__version__)
    content = manifest.to_json().encode()
    if manifest.generation:
        write_atomically(partition.folder_of(manifest) / MANIFEST, content)
    write_atomically(partition.manifest_path(manifest.stage), content)
    sweep_temporaries(partition.stage_folder(manifest.stage))
    return manifest


def releases_in_store(store: Path, *, key: PartitionKey, stage: Stage, retired: bool = False) -> list[PartitionRelease]:
    """Return releases of a partition whose ``stage`` is published, oldest first; optionally retired ones, too."""
    folder = store / key.collection
    found = []
    if folder.is_dir():
        for entry in folder.iterdir():
            if re.fullmatch(r"\d+(\.\d+)?", entry.name):
                partition = PartitionRelease(store, key, entry.name)
                if partition.manifest_path(stage).is_file() and (retired or not partition.retired.exists()):
                    found.append(partition)
    return sorted(found, key=lambda partition: release_sort_key(partition.release))


def current_release(store: Path, *, key: PartitionKey, stage: Stage) -> PartitionRelease | None:
    """Return the newest release of a partition whose ``stage`` is published, or None."""
    found = releases_in_store(store, key=key, stage=stage)
    return found[-1] if found else None
