"""On the module path of a process: its clock, and that of its workers, is off by what a file says at every look.

Python's clock alone, not the file system's: files have the true time, as when a file server has another clock.
"""

import datetime as dt
import os
import time

_true_time, _true_datetime = time.time, dt.datetime


def _off() -> float:
    with open(os.environ["FAULTS_CLOCK"], encoding="ascii") as file:  # noqa: PTH123 -- before anything is imported
        return float(file.read() or 0)


class _Type(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _true_datetime)


class _Stepped(_true_datetime, metaclass=_Type):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return _true_datetime.now(tz) + dt.timedelta(seconds=_off())


time.time = lambda: _true_time() + _off()
dt.datetime = _Stepped  # type: ignore[misc]
