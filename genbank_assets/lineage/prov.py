"""Converts a trace to W3C PROV: what was derived from what, by which run and software, as PROV-JSON.

NCBI's file → raw file → table row → database row, and table row → distinct sequence → object. An activity is the run
that published a stage of the division; a file left by an earlier interrupted run is attributed to it. Times come from
the stages' manifests and the database's ledger, and are omitted if unknown. The data model and its formats belong to
the library ``prov``, traces to ``trace``. See https://www.w3.org/TR/prov-dm/ and
https://www.w3.org/submissions/prov-json/
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from typing import Any

from prov.identifier import Identifier, Namespace, QualifiedName
from prov.model import PROV_LABEL, PROV_LOCATION, PROV_TYPE, ProvDocument

from genbank_assets.lineage.hops import Hop
from genbank_assets.lineage.trace import Trace
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, Stage

NAMESPACE = Namespace("gba", "urn:genbank-assets:")
CLOCK_TOLERANCE = dt.timedelta(seconds=5)  # between this machine's clock and the object store's


def as_prov_json(settings: Settings, traces: Sequence[Trace]) -> str:
    """Return traces as one PROV-JSON document, in which shared elements occur once."""
    document = ProvDocument()
    document.add_namespace(NAMESPACE)
    graph = _Graph(document)
    for trace in traces:
        key = PartitionKey(trace.collection, trace.division)
        _Chain(graph, trace, PartitionRelease(settings.store, key, trace.release)).add()
    return str(document.serialize(format="json", indent=1))


class _Graph:
    """A document in which every element and relation occurs once."""

    def __init__(self, document: ProvDocument) -> None:
        self._document = document
        self._said: set[tuple[object, ...]] = set()

    def entity(self, name: str, kind: str, *, label: str, location: object = None, **facts: Any) -> QualifiedName:
        """Add an entity named ``gba:name``."""
        identifier = NAMESPACE[name]
        if self._is_new("entity", identifier):
            self._document.entity(identifier, _attributes(kind, label, location, facts))
        return identifier

    def activity(self, name: str, stage: str, times: _Times, *, label: str, **facts: Any) -> QualifiedName:
        """Add an activity."""
        identifier = NAMESPACE[name]
        if self._is_new("activity", identifier):
            attributes = _attributes(f"Stage_{stage}", label, None, facts)
            self._document.activity(identifier, times.start, times.end, attributes)
        return identifier

    def agent(self, name: str, kind: QualifiedName, *, label: str, **facts: Any) -> QualifiedName:
        """Add an agent; ``kind`` is a PROV agent type."""
        identifier = NAMESPACE[name]
        if self._is_new("agent", identifier):
            self._document.agent(identifier, {**_attributes(None, label, None, facts), PROV_TYPE: kind})
        return identifier

    def derived(self, entity: QualifiedName, source: QualifiedName, activity: QualifiedName | None) -> None:
        """State that ``entity`` was derived from ``source``."""
        if self._is_new("derived", entity, source):
            self._document.wasDerivedFrom(entity, source, activity=activity)

    def generated(self, entity: QualifiedName, activity: QualifiedName, *, at: dt.datetime | None = None) -> None:
        """State that ``activity`` generated ``entity``."""
        if self._is_new("generated", entity, activity):
            self._document.wasGeneratedBy(entity, activity, time=at)

    def used(self, activity: QualifiedName, entity: QualifiedName) -> None:
        """State that ``activity`` read ``entity``, or found it in place."""
        if self._is_new("used", activity, entity):
            self._document.used(activity, entity)

    def associated(self, activity: QualifiedName, agent: QualifiedName) -> None:
        """State that ``agent`` was responsible for ``activity``."""
        if self._is_new("associated", activity, agent):
            self._document.wasAssociatedWith(activity, agent)

    def attributed(self, entity: QualifiedName, agent: QualifiedName) -> None:
        """Attribute ``entity`` to ``agent``."""
        if self._is_new("attributed", entity, agent):
            self._document.wasAttributedTo(entity, agent)

    def _is_new(self, *what: object) -> bool:
        new = what not in self._said
        self._said.add(what)
        return new


def _attributes(kind: str | None, label: str, location: object, facts: dict[str, Any]) -> dict[Any, Any]:
    said: dict[Any, Any] = {PROV_LABEL: label}
    if kind is not None:
        said[PROV_TYPE] = NAMESPACE[kind]
    if location is not None:
        said[PROV_LOCATION] = location
    return said | {NAMESPACE[name]: value for name, value in facts.items() if value not in (None, "")}


@dataclasses.dataclass(frozen=True)
class _Times:
    """Start and end of an activity; None if unknown."""

    start: dt.datetime | None = None
    end: dt.datetime | None = None


def _times(manifest: Manifest | None, run_id: str) -> _Times:
    """Return the times of the run that wrote the manifest, from its time of publication and its duration."""
    if manifest is None or not manifest.published_at or manifest.run_id != run_id:
        return _Times()
    end = dt.datetime.fromisoformat(manifest.published_at)
    seconds = manifest.report.seconds
    return _Times(None if seconds is None else end - dt.timedelta(seconds=seconds), end)


class _Chain:
    """The part of the graph that describes one trace."""

    def __init__(self, graph: _Graph, trace: Trace, partition: PartitionRelease) -> None:
        self._graph = graph
        self._trace = trace
        self._partition = partition
        self._hops = {hop.stage: hop for hop in trace.hops}
        self._where = f"{partition.key.collection}/{partition.release}/{partition.key.division}"
        self._what = f"{partition.key}, release {partition.release}"

    def add(self) -> None:
        """Add everything the trace knows, starting at the source; a missing hop ends its branch."""
        raw = self._raw_file()
        row = self._table_row(raw) if raw is not None else None
        if row is None:
            return
        self._database_row(row)
        sequence = self._sequence(row)
        if sequence is not None:
            self._object(sequence)

    def _raw_file(self) -> QualifiedName | None:
        hop = self._hops["raw file"]
        facts = hop.facts
        if "sha256" not in facts:
            return None
        content = {"bytes": facts["bytes"], "sha256": facts["sha256"]}
        published = self._graph.entity(
            f"ncbi-file/{facts['sha256']}",
            "NcbiFile",
            label=f"{facts['file']} as NCBI publishes it",
            location=Identifier(facts["url"]) if facts["url"] else None,
            checksum=facts["checksum"],
            checksumAlgorithm=facts["checksum_algorithm"],
            **content,
        )
        ncbi = self._graph.agent(
            "agent/ncbi", _prov("Organization"), label="National Center for Biotechnology Information"
        )
        self._graph.attributed(published, ncbi)
        raw = self._entity(f"raw-file/{self._where}/{facts['file']}", "RawFile", hop, facts["path"], **content)
        self._made("raw_files", facts["run_id"], raw, published)
        return raw

    def _table_row(self, raw: QualifiedName) -> QualifiedName | None:
        hop, text = self._hops["table row"], self._hops["record text"].facts
        facts = hop.facts
        if "row" not in facts:
            return None
        name = f"table-row/{self._where}/{self._hops['raw file'].facts['file']}/{facts['row']}"
        row = self._entity(
            name,
            "TableRow",
            hop,
            facts["file"],
            accession_version=self._trace.accession_version,
            row=facts["row"],
            record_offset=text["offset"],
            record_bytes=text["bytes"],
            record_sha256=text["record_sha256"],
        )
        self._made("records", facts["run_id"], row, raw, code_version=facts["code_version"])
        return row

    def _sequence(self, row: QualifiedName) -> QualifiedName | None:
        hop = self._hops["sequence"]
        facts = hop.facts
        if "members" not in facts:
            return None
        name = f"sequence/{self._where}/{facts['molecule_class']}/{facts['sequence_sha256']}"
        chosen = {n: facts[n] for n in ("sequence_sha256", "molecule_class", "length", "members", "representative")}
        sequence = self._entity(name, "DistinctSequence", hop, None, **chosen)
        manifest = self._partition.manifest("unique_records")
        self._made("unique_records", manifest.run_id if manifest else "", sequence, row)
        return sequence

    def _database_row(self, row: QualifiedName) -> None:
        hop = self._hops["database row"]
        facts = hop.facts
        if "record_id" not in facts:
            return
        chosen = (
            "record_id", "accession_version", "record_sha256", "is_current", "first_release", "last_release",
            "transaction_id",
        )  # fmt: skip
        name = f"database-row/{facts['record_id']}/{facts['record_sha256']}"
        entity = self._entity(name, "DatabaseRow", hop, "genbank.record", **{n: facts[n] for n in chosen})
        at = dt.datetime.fromisoformat(facts["loaded_at"]) if facts["loaded_at"] else None
        self._made("postgres_table", facts["run_id"] or "", entity, row, at=at)

    def _object(self, sequence: QualifiedName) -> None:
        hop = self._hops["object"]
        facts = hop.facts
        if "etag" not in facts:
            return
        entity = self._entity(
            f"object/{facts['key']}",
            "Object",
            hop,
            Identifier(f"{str(facts['url']).rstrip('/')}/{facts['key']}"),
            bytes=facts["bytes"],
            sha256=facts["checksum_sha256"],
            etag=facts["etag"],
        )
        at = dt.datetime.fromisoformat(facts["last_modified"])
        self._made("object_set", facts.get("run_id", ""), entity, sequence, at=at, may_be_older=True)

    def _entity(self, name: str, kind: str, hop: Hop, location: object, **facts: Any) -> QualifiedName:
        what = hop.facts["file"] if hop.stage == "raw file" else f"{hop.stage} of {self._trace.accession_version}"
        problem = {"status": hop.status, "problem": hop.problem}
        return self._graph.entity(name, kind, label=f"{what}, {self._what}", location=location, **facts, **problem)

    def _made(
        self,
        stage: Stage,
        run_id: str,
        entity: QualifiedName,
        source: QualifiedName,
        *,
        at: dt.datetime | None = None,
        may_be_older: bool = False,
        code_version: str | None = None,
    ) -> None:
        """Add the run of a stage that used ``source``, and generated ``entity`` or found it from an earlier run."""
        manifest = self._partition.manifest(stage)
        wrote = manifest is not None and manifest.run_id == run_id
        times = _times(manifest, run_id)
        activity = self._graph.activity(
            f"run/{run_id or 'unknown'}/{stage}/{self._where}",
            stage,
            times,
            label=f"{stage} of {self._what}",
            run_id=run_id,
            code_version=code_version or (manifest.code_version if manifest is not None and wrote else None),
            release=self._partition.release,
        )
        version = manifest.software_version if manifest is not None and wrote else ""
        name = f"software/genbank-assets/{version}" if version else "software/genbank-assets"
        label = f"genbank-assets {version}".rstrip()
        agent = self._graph.agent(name, _prov("SoftwareAgent"), label=label, version=version)
        self._graph.associated(activity, agent)
        self._graph.used(activity, source)
        if may_be_older and at is not None and times.start is not None and at < times.start - CLOCK_TOLERANCE:
            self._graph.used(activity, entity)
            self._graph.derived(entity, source, None)
            return
        self._graph.generated(entity, activity, at=at)
        self._graph.derived(entity, source, activity)


def _prov(name: str) -> QualifiedName:
    return PROV_TYPE.namespace[name]
