"""Where things lie in the store folder, and the manifest a stage writes last.

A partition of one release is one folder, ``STORE/<collection>/<release>/<division>/``, with a sub-folder per
stage. A stage is published when its ``manifest.json`` exists: readers follow manifests and nothing else, so
half-written files beside it are invisible. Belongs here: paths and manifests. How a stage's files are
replaced belongs to ``generations``, what they hold to the stages.
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
# Made of records for those who want them; a release is complete without. Search databases stand beside: no tables.
FURTHER_STAGES: tuple[Stage, ...] = ("samples", "cds")
#: Each stage's input: its manifest's ``input_digest`` is the digest of that stage's manifest.
INPUT_STAGES: dict[Stage, Stage] = {
    "records": "raw_files",
    "unique_records": "records",
    "postgres_table": "unique_records",
    "object_set": "unique_records",
}
MANIFEST = "manifest.json"
RETIRED = ".retired"  # in the folder of a division's release that is no longer kept: no reader begins with it
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
    """One division of one collection in one release, and its folders under the store.

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
        """The mark of a release that is no longer kept; its files are deleted after a grace period for readers."""
        return self.folder / RETIRED

    def stage_folder(self, stage: Stage) -> Path:
        """The folder of one stage: its manifest and its generations. Files are read by way of :meth:`files_folder`."""
        return self.folder / stage

    def generation_folder(self, stage: Stage, generation: str) -> Path:
        """The folder of one generation's files; those of generation "" lie beside the manifest, as 0.1.0 put them."""
        return self.stage_folder(stage) / generation

    def folder_of(self, manifest: Manifest) -> Path:
        """Return the folder that the names in a manifest of this partition are relative to.

        Whoever holds a manifest asks for its files in this way: :meth:`files_folder` may be of a later one.
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
        """Return the stage's manifest; its existence is what publishes the stage."""
        return self.stage_folder(stage) / MANIFEST

    def manifest(self, stage: Stage) -> Manifest | None:
        """Return the stage's manifest, or None while the stage is not published."""
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
        code_version: version of the code that decides the bytes of this stage.
        collection: ``genbank`` or ``refseq``.
        release: the release as NCBI writes it, such as ``273.0`` or ``237``.
        division: division code or RefSeq section.
        input_digest: :attr:`digest` of the manifest this stage was made from ("" for raw files).
        files: one mapping per file; JSON values only, each with at least ``name``.
        extra: facts about the whole partition (release date, object keys ...); JSON values only.
        report: the figures of the run that wrote the manifest.
        run_id: the run that wrote it (a Dagster run id, or ``cli-...``).
        published_at: when it was written, ISO 8601 in UTC; "" in manifests of versions that did not say it.
        software_version: version of this package that wrote it; "" in the same manifests.
        generation: name of the folder of the files, below the stage's; "" where they lie beside the manifest.
        file_runs: file → the run that made it, where that may be another than ``run_id``. Earlier versions wrote it
            into the files' mappings, where it enters the digest; those manifests keep the digest that they had.
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
        """SHA-256 over everything but the run's own figures and the folder: equal content, equal digest."""
        content = dataclasses.asdict(self)
        for name in ("report", "run_id", "published_at", "software_version", "generation", "file_runs"):
            del content[name]
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def run_of(self, entry: dict[str, Any]) -> str:
        """Return the run that made a file of this manifest."""
        return str(self.file_runs.get(entry["name"]) or entry.get("run_id") or self.run_id)

    def report_as(self, kind: type[Report]) -> Report:
        """Return the report with the figures of this manifest's own stage.

        Raises:
            TypeError: the stage is another.
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
        """Return the reverse of :meth:`to_json`.

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
    """Return the manifest in a file.

    Raises:
        FileNotFoundError: there is none.
        IntegrityError: it is not a manifest; the message names the file.
    """
    try:
        return Manifest.from_json(path.read_text(encoding="utf-8"))
    except NotADirectoryError as error:
        raise FileNotFoundError(str(path)) from error
    except IntegrityError as error:
        raise IntegrityError(f"{path}: {error}; remove it and materialize its stage") from error


def publish_manifest(manifest: Manifest, *, partition: PartitionRelease) -> Manifest:
    """Write a stage's manifest with the time and this package's version; readers see the old one or all of this one.

    A generation gets a copy of its own first, beside its files: folders without one were never read by anybody.
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
    """The releases of a partition whose ``stage`` is published, oldest first; with ``retired`` those that go too."""
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
    """Return the newest release of a partition whose ``stage`` is published."""
    found = releases_in_store(store, key=key, stage=stage)
    return found[-1] if found else None
