"""A pytest plugin that notes which lines of the package a test runs, and how long it takes: for ``scripts/mutate``.

A line of JSON a test goes to the file that MUTANTS_COVERED names, at once: what was noted stays when the run is killed.
Processes that a test starts are noted too, where their environment lets them find this module (``in_child``).
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

FILE, TEST = "MUTANTS_COVERED", "MUTANTS_TEST"
_ROOT = os.environ.get("MUTANTS_ROOT", "") + "/genbank_assets/"
_lines: set[tuple[str, int]] = set()
_is_ours: dict[CodeType, bool] = {}
_seconds: dict[str, float] = {}
_passed: dict[str, bool] = {}


def _called(frame: FrameType, event: str, argument: object) -> Any:
    code = frame.f_code
    ours = _is_ours.get(code)
    if ours is None:
        ours = _is_ours[code] = code.co_filename.startswith(_ROOT) and code.co_name != "<module>"
    return _line if ours else None


def _line(frame: FrameType, event: str, argument: object) -> Any:
    if event == "line":
        _lines.add((frame.f_code.co_filename, frame.f_lineno))
    return _line


def _trace() -> None:
    threading.settrace(_called)
    sys.settrace(_called)


def _write(test: str, **more: object) -> None:
    lines: dict[str, list[int]] = {}
    for file, line in sorted(_lines.copy()):
        lines.setdefault("genbank_assets/" + file.removeprefix(_ROOT), []).append(line)
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as out:
        out.write(json.dumps({"test": test, "lines": lines} | more) + "\n")


def in_child() -> None:
    """Note the lines of this process for the test that began it."""
    if os.environ.get(TEST):
        _trace()
        atexit.register(_write, os.environ[TEST])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Around a test with its fixtures."""
    _lines.clear()
    os.environ[TEST] = item.nodeid
    _trace()
    try:
        return (yield)
    finally:
        sys.settrace(None)
        del os.environ[TEST]
        _write(item.nodeid, seconds=round(_seconds.get(item.nodeid, 0.0), 2), passed=_passed.get(item.nodeid, False))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """The time of its three parts, and whether all of them went well."""
    _seconds[report.nodeid] = _seconds.get(report.nodeid, 0.0) + report.duration
    _passed[report.nodeid] = _passed.get(report.nodeid, True) and report.outcome == "passed"
