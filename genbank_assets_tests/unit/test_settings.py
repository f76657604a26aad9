"""Every setting has a variable, is described, and keeps its secrets. Refused values are in ``test_core``."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from genbank_assets.errors import SettingsError
from genbank_assets.settings import DEFAULT_SOURCE, Settings, settings_from_environment

FIELDS = {field.name: field for field in dataclasses.fields(Settings)}
EXAMPLES = {
    "source": ("ftp://ftp.example.org", "ftp://ftp.example.org"),
    "store": ("/data/genbank", Path("/data/genbank")),
    "postgres_url": ("postgresql://u:secret@h/d", "postgresql://u:secret@h/d"),
    "objects": ("s3://bucket/prefix", "s3://bucket/prefix"),
    "tables": ("s3://bucket/tables", "s3://bucket/tables"),
    "max_absent_fraction": ("0.5", 0.5),
    "max_quarantined_fraction": ("0.5", 0.5),
    "requests_per_second": ("2.5", 2.5),
    "object_layout": ("pack", "pack"),
    "object_checksum": ("none", "none"),
    "refget": ("true", True),
    "publish_raw_files": ("true", True),
    "executor": ("dask://scheduler:8786", "dask://scheduler:8786"),
    "divisions": ("genbank/phg", "genbank/phg"),
    "dagster_url": ("https://dagster.example.org", "https://dagster.example.org"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_variable(name: str) -> None:
    text, value = EXAMPLES.get(name, ("7", 7))
    settings = settings_from_environment({f"GENBANK_ASSETS_{name.upper()}": text})
    assert getattr(settings, name) == value
    assert dataclasses.replace(settings, **{name: getattr(Settings(), name)}) == Settings()


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_is_described(name: str) -> None:
    assert re.search(rf"^\s+{name}: ", Settings.__doc__ or "", re.MULTILINE)


def test_without_variables_the_defaults_hold() -> None:
    assert settings_from_environment({}) == Settings()
    assert settings_from_environment({"GENBANK_ASSETS_SOURCE": " "}).source == DEFAULT_SOURCE


def test_the_store_may_begin_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somewhere")
    assert settings_from_environment({"GENBANK_ASSETS_STORE": "~/gb"}).store == Path("/somewhere/gb")


def test_objects_are_in_the_store_by_default(tmp_path: Path) -> None:
    assert Settings(store=tmp_path).objects_url == (tmp_path / "objects").as_uri()
    assert Settings(objects="s3://b/p").objects_url == "s3://b/p"


def test_an_error_names_the_variable() -> None:
    with pytest.raises(SettingsError, match="GENBANK_ASSETS_WORKERS"):
        settings_from_environment({"GENBANK_ASSETS_WORKERS": "two"})
