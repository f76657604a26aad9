"""Traces as PROV-JSON, read back with ``prov``: a real mirror's graph, and what it says when things are missing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import prov
import pytest
from prov.model import (
    ProvActivity,
    ProvAgent,
    ProvAssociation,
    ProvAttribution,
    ProvDerivation,
    ProvDocument,
    ProvEntity,
    ProvGeneration,
    ProvUsage,
)

from genbank_assets import __version__
from genbank_assets.lineage.prov import as_prov_json
from genbank_assets.lineage.trace import trace
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, Manifest, PartitionKey
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SAMPLE


@dataclasses.dataclass(frozen=True)
class Graph:
    """A PROV document by kind of entity: names without what belongs to one run or place."""

    document: ProvDocument

    def of(self, kind: Any) -> list[Any]:
        return list(self.document.get_records(kind))

    def kinds(self) -> dict[str, str]:
        """Identifier → our type, ``TableRow`` say."""
        elements = [*self.of(ProvEntity), *self.of(ProvActivity), *self.of(ProvAgent)]
        return {str(e.identifier): next(iter(e.get_asserted_types())).localpart for e in elements}

    def relations(self, kind: Any) -> set[tuple[str, str]]:
        """Pairs of types, in PROV's order of arguments."""
        kinds = self.kinds()
        return {(kinds[str(r.args[0])], kinds[str(r.args[1])]) for r in self.of(kind)}

    def entity(self, kind: str) -> dict[str, Any]:
        """The attributes of the one entity of a type."""
        (name,) = [name for name, found in self.kinds().items() if found == kind]
        (record,) = self.document.get_record(name)
        return {str(attribute): value for attribute, value in record.attributes}


def graph(settings: Settings, accession: str) -> Graph:
    return Graph(prov.read(as_prov_json(settings, trace(settings, accession)), format="json"))


@pytest.fixture
def viral(settings: Settings) -> tuple[Settings, list[Manifest]]:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    return settings, mirror(PartitionKey("refseq", "viral"), settings)


def test_the_graph_of_a_record_is_its_way(viral: tuple[Settings, list[Manifest]]) -> None:
    settings, manifests = viral
    found = graph(settings, "NC_001422.1")
    ways = [
        ("RawFile", "NcbiFile"), ("TableRow", "RawFile"), ("DistinctSequence", "TableRow"), ("DatabaseRow", "TableRow"),
        ("Object", "DistinctSequence"),
    ]  # fmt: skip
    assert found.relations(ProvDerivation) == set(ways)
    made = ("RawFile", "TableRow", "DistinctSequence", "DatabaseRow", "Object")
    assert found.relations(ProvGeneration) == {
        (kind, f"Stage_{stage}")
        for kind, stage in zip(
            made, ("raw_files", "records", "unique_records", "postgres_table", "object_set"), strict=True
        )
    }
    stage_of = dict(found.relations(ProvGeneration))
    assert found.relations(ProvUsage) == {(stage_of[entity], source) for entity, source in ways}
    assert found.relations(ProvAssociation) == {(f"Stage_{stage}", "SoftwareAgent") for stage in STAGES}
    assert found.relations(ProvAttribution) == {("NcbiFile", "Organization")}
    assert found.entity("SoftwareAgent")["gba:version"] == __version__
    for activity in found.of(ProvActivity):
        stage = next(iter(activity.get_asserted_types())).localpart.removeprefix("Stage_")
        manifest = manifests[STAGES.index(stage)]
        took = activity.get_endTime() - activity.get_startTime()
        assert abs(took.total_seconds() - (manifest.report.seconds or 0)) < 0.01, stage
        assert activity.get_endTime() == dt.datetime.fromisoformat(manifest.published_at)
        assert dict(activity.attributes)[activity.bundle.valid_qualified_name("gba:run_id")] == "test"


def test_facts_are_those_of_the_files(viral: tuple[Settings, list[Manifest]]) -> None:
    settings, _ = viral
    found = graph(settings, "NC_001422")
    source = SAMPLE / "refseq" / "release" / "viral" / "viral.1.genomic.gbff.gz"
    ncbi, raw = found.entity("NcbiFile"), found.entity("RawFile")
    assert str(ncbi["prov:location"].uri) == source.as_uri()
    assert ncbi["gba:sha256"] == raw["gba:sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert Path(raw["prov:location"]).read_bytes() == source.read_bytes()
    row, sequence, stored = found.entity("TableRow"), found.entity("DistinctSequence"), found.entity("Object")
    assert (row["gba:record_offset"], row["gba:record_bytes"]) == (0, 23396)
    assert row["gba:record_sha256"] == found.entity("DatabaseRow")["gba:record_sha256"]
    assert (sequence["gba:length"], sequence["gba:sequence_sha256"]) == (5386, stored["gba:sha256"])
    content = Path(str(stored["prov:location"].uri).removeprefix("file://")).read_bytes()
    assert hashlib.sha256(content).hexdigest() == stored["gba:sha256"]


def test_the_document_is_plain_prov_json(viral: tuple[Settings, list[Manifest]]) -> None:
    settings, _ = viral
    document = json.loads(as_prov_json(settings, trace(settings, "NC_001422")))
    assert document["prefix"]["gba"] == "urn:genbank-assets:"
    counts = {name: len(found) for name, found in document.items() if name != "prefix"}
    assert counts == {
        "entity": 6, "activity": 5, "agent": 2, "wasDerivedFrom": 5, "wasGeneratedBy": 5, "used": 5,
        "wasAssociatedWith": 5, "wasAttributedTo": 1,
    }  # fmt: skip


def test_the_command_prints_it(viral: tuple[Settings, list[Manifest]]) -> None:
    settings, _ = viral
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GENBANK_ASSETS_")}
    environment |= {"GENBANK_ASSETS_POSTGRES_URL": settings.postgres_url or ""}
    command = [str(Path(sys.executable).parent / "genbank-assets"), "trace", "NC_001422", "--prov"]
    command += ["--store", str(settings.store)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == as_prov_json(settings, trace(settings, "NC_001422")) + "\n"


def test_an_object_that_was_there_before_is_used_and_not_generated(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    key = PartitionKey("refseq", "viral")
    mirror(key, settings)
    # As if another division had brought the same residues an hour before.
    for path in (settings.store / "objects" / "nucleotide").rglob("*"):
        if path.is_file():
            earlier = path.stat().st_mtime - 3600
            os.utime(path, (earlier, earlier))
    found = graph(settings, "NC_001422")
    assert ("Object", "Stage_object_set") not in found.relations(ProvGeneration)
    assert ("Stage_object_set", "Object") in found.relations(ProvUsage)
    assert ("Object", "DistinctSequence") in found.relations(ProvDerivation)


def test_what_is_missing_is_not_invented(divisions: Divisions) -> None:
    partition = divisions.make("genbank/bct", "1.0", {"gbbct1.seq.gz": [Entry("AB000001")]})
    found = graph(divisions.settings, "AB000001")
    assert set(found.kinds().values()) >= {"RawFile", "TableRow", "DistinctSequence"}
    assert not {"DatabaseRow", "Object"} & set(found.kinds().values())
    (partition.files_folder("raw_files") / "gbbct1.seq.gz").unlink()
    found = graph(divisions.settings, "AB000001")
    assert found.entity("RawFile")["gba:status"] == "missing"
    assert "no longer in the store" in found.entity("RawFile")["gba:problem"]
    assert found.entity("TableRow")["gba:status"] == "ok"


def test_a_stage_published_by_an_older_version_has_no_times(divisions: Divisions) -> None:
    partition = divisions.make("genbank/bct", "1.0", {"gbbct1.seq.gz": [Entry("AB000001")]})
    path = partition.manifest_path("unique_records")
    content = json.loads(path.read_text())
    del content["published_at"], content["software_version"]
    path.write_text(json.dumps(content))
    found = graph(divisions.settings, "AB000001")
    (activity,) = [a for a in found.of(ProvActivity) if "unique_records" in str(a.identifier)]
    assert (activity.get_startTime(), activity.get_endTime()) == (None, None)
    agents = {str(r.args[0]): str(r.args[1]) for r in found.of(ProvAssociation)}
    assert agents[str(activity.identifier)] == "gba:software/genbank-assets"


def test_records_of_one_file_share_what_they_share(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    mirror(PartitionKey("refseq", "viral"), settings, stages=3)
    traces = [*trace(settings, "NC_001422"), *trace(settings, "NC_002058")]
    found = Graph(prov.read(as_prov_json(settings, traces), format="json"))
    kinds = list(found.kinds().values())
    assert (kinds.count("RawFile"), kinds.count("TableRow"), kinds.count("Stage_records")) == (1, 2, 1)
    assert len(found.of(ProvUsage)) == 1 + 1 + 2
