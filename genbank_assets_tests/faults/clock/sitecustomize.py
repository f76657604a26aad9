"""On the module path of a process: its clock, and that of its workers, is off by what a file says at every look.

And where FAULTS_RENAME is ``full 7``, the disk is full from the seventh name on that a process wants to give a file, or
it is killed there (``kill 7``): a publication is such a moment. ``full 2 manifest.json`` counts such names only.

With FAULTS_LARGE, small divisions are loaded like large ones: pages frozen after each file, indexes built in parallel.

Python's clock alone, not the file system's: files have the true time, as when a file server has another clock. Only
this project's modules get another ``datetime``: extension modules derive C types from the true one.
"""

import builtins
import datetime as dt
import errno
import itertools
import os
import signal
import sys
import time
import types
from typing import Any

_true_time, _true_import = time.time, builtins.__import__


def _off() -> float:
    with open(os.environ["FAULTS_CLOCK"], encoding="ascii") as file:  # noqa: PTH123 -- before anything is imported
        return float(file.read() or 0)


class _Type(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, dt.datetime)


class _Stepped(dt.datetime, metaclass=_Type):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return dt.datetime.now(tz) + dt.timedelta(seconds=_off())


_stepped = types.ModuleType("datetime")
_stepped.__dict__.update(vars(dt) | {"datetime": _Stepped})


# Module -> attribute and its value here.
_SET = {"genbank_assets.postgres.partitions": ("_MIN_GROWN_BYTES", 1),
        "genbank_assets.postgres.first_load": ("SMALL_RECORDS", 0)}  # fmt: skip


def _import(name: str, globals: Any = None, *arguments: Any, **options: Any) -> Any:  # noqa: A002 -- as it is called
    if name == "datetime" and globals and str(globals.get("__name__")).startswith("genbank_assets"):
        return _stepped
    imported = _true_import(name, globals, *arguments, **options)
    for module, (attribute, value) in _SET.items() if "FAULTS_LARGE" in os.environ else ():
        if attribute in vars(sys.modules.get(module, dt)):
            setattr(sys.modules[module], attribute, value)
    return imported


time.time = lambda: _true_time() + _off()
builtins.__import__ = _import


def _limited(true: Any) -> Any:
    def named(source: Any, target: Any, *more: Any, **options: Any) -> Any:
        if _named in (None, os.path.basename(target)) and next(_names) >= int(_number):  # noqa: PTH119
            if _how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(source), None, str(target))
        return true(source, target, *more, **options)

    return named


_names = itertools.count(1)
if _wanted := os.environ.get("FAULTS_RENAME"):
    _how, _number, _named = [*_wanted.split(), None][:3]
    os.replace, os.link, os.symlink = _limited(os.replace), _limited(os.link), _limited(os.symlink)
