"""The fault suite: a scenario of releases, days and prunes, disturbed at random points, must end as if undisturbed.

A round runs the scenario once. Each step is attempted repeatedly and disturbed each time, at a stage, moment and in a
way chosen by the round's seed, until an attempt completes; every disturbed attempt is a point, unless it ended before
the disturbance. Then the step runs undisturbed. After the last step everything runs once more and is verified, and
store, database and bucket are compared with those of an undisturbed round; no process of a killed run may be left. In
every other round, disturbed steps are not repeated (``skips``), and later steps must complete the work.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from genbank_assets_tests.faults.end_state import differences, without_history
from genbank_assets_tests.faults.source import LATER_DAY, OLDER_DAY
from genbank_assets_tests.faults.steps import DAY_STAGES, FAILED, STAGES
from genbank_assets_tests.faults.world import Step, World, postgres, world

OLDER, LATER = OLDER_DAY.isoformat(), LATER_DAY.isoformat()
# State of the source, and the step that runs then.
SCENARIO = (
    ("first", "release"), ("first_again", "release"), ("first", "release"), ("first", OLDER), ("first", "prune"),
    ("second", "release"), ("second", "tables"), ("first_again", "refused"), ("second_again", "release"),
    ("second_again", LATER), ("second", "release"), ("second", "tables"), ("second", "prune"),
)  # fmt: skip
NEEDED = {0, 5}  # the first issue of each release, without which later steps cannot run
ONCE_MORE = ("release", OLDER, LATER, "tables", "prune")
OPTIONAL = {"tables"}  # steps of the long form only
# Kind of disturbance and its weight; those that need a separate file system for the store are skipped without one.
WAYS = {
    "run": 5, "all": 3, "worker": 3, "stop": 1, "postgres": 4, "backend": 2, "s3": 4, "both servers": 1, "full": 4,
    "read-only": 1, "clock": 2, "full at a name": 3, "kill at a name": 3, "full at a manifest": 2,
    "kill at a manifest": 2,
}  # fmt: skip
# Applied before the step starts, rather than at some moment.
BEFOREHAND = {"read-only", *(way for way in WAYS if " at a " in way)}
DATA_SEED = 11


@dataclasses.dataclass
class Result:
    """Result of some rounds."""

    points: int = 0
    ways: Counter[str] = dataclasses.field(default_factory=Counter)
    outcomes: Counter[str] = dataclasses.field(default_factory=Counter)
    stages: Counter[str] = dataclasses.field(default_factory=Counter)
    missed: int = 0  # attempts that ended before they were disturbed
    problems: list[str] = dataclasses.field(default_factory=list)


class Round:
    """One run of the scenario with the disturbances of a seed."""

    def __init__(
        self,
        there: World,
        *,
        seed: int,
        seconds: dict[tuple[str, str], float],
        tell: Callable[[str], None],
        result: Result,
        ways: Collection[str],
        is_short: bool,
    ) -> None:
        self._world = there
        self._left_out = OPTIONAL if is_short else set[str]()
        self._ways = [way for way, weight in WAYS.items() for _ in range(weight) if way in ways and self._possible(way)]
        self._draw = random.Random(seed)
        self._seconds = seconds
        self._tell = tell
        self._result = result
        self.skips = seed % 2 == 1

    def run(self, *, points: int) -> None:
        """Run all steps, with at most ``points`` disturbances."""
        done: list[str] = []
        for place, (offered, step) in enumerate(SCENARIO):
            if step in self._left_out:
                continue
            getattr(self._world.source, offered)()
            before = self._result.points
            for _ in range(min(self._draw.choice([1, 2, 3, 4, 5]), points)):
                if self._attempt(step, beside=self._draw.choice(["prune", step, *done, None, None, None, None])):
                    break
            attempts = self._result.points - before
            points -= attempts
            if not (attempts and self.skips and place not in NEEDED):
                self.undisturbed(step)
            if step not in {"release", "refused"}:
                done.append(step)
        self.once_more()
        self.undisturbed("verify")

    def once_more(self) -> None:
        """Run everything once more."""
        for step in ONCE_MORE:
            if step not in self._left_out:
                self.undisturbed(step)

    def undisturbed(self, name: str) -> None:
        """Run a step to its end."""
        step = self._world.start(name)
        step.wait_begun()
        code = step.end()
        moments = [*step.stages.values(), time.monotonic()]
        for stage, begun, ended in zip(step.stages, moments, moments[1:], strict=False):
            self._seconds[name, stage] = max(ended - begun, self._seconds.get((name, stage), 0.0))
        if code != 0:
            self._problem(f"{name}, undisturbed, ended with {code}: {step.lines[-4:]}")

    def _attempt(self, name: str, *, beside: str | None) -> bool:
        """Return whether the attempt completed, so that nothing is left to disturb."""
        way = self._draw.choice(self._ways)
        stage = self._draw.choice(STAGES.get(name, DAY_STAGES))
        # Prefer early moments, because a resumed stage has less to do.
        moment = self._seconds.get((name, stage), 1.0) * self._draw.random() ** 2
        # Drawn in advance, so that a seed always gives the same disturbances.
        size, pause = self._draw.choice([0, 4, 16, 64, 128, 256, 512, 1024]), self._draw.uniform(0, 1.5)
        off = self._draw.choice([-1, 1]) * 10 ** self._draw.uniform(1, 7)
        how, _, what = way.partition(" at a ")
        number = 1 + int({"name": 39, "manifest": 6}.get(what, 0) * pause / 1.5)
        more = {"FAULTS_RENAME": f"{how} {number}{' manifest.json' * (what == 'manifest')}"} if what else {}
        if way == "read-only":
            self._world.remount("ro")
        step = self._world.start(name, **more)
        step.wait_begun()
        other = self._world.start(beside) if beside else None
        if way not in BEFOREHAND:
            step.wait_stage(stage)
            step.wait_ended(moment)
        hit, missed = step.stage(), step.process.poll() is not None
        if not missed and way not in BEFOREHAND:
            self._disturb(way, step, pause=pause, left_kilobytes=size, off=off)
        code = step.end()
        if way in BEFOREHAND:
            hit, missed = step.stage(), bool(more) and code == 0
        codes = [(step, code), *([(other, other.end())] if other else [])]
        if self._world.is_mounted:
            self._world.empty()
        self._world.start_postgres()
        self._world.step_clock(0)
        self._note(step, hit, way=way, moment=moment, missed=missed, beside=beside, codes=codes)
        return codes[0][1] == 0

    def _note(
        self, step: Step, hit: str, *, way: str, moment: float, missed: bool, beside: str | None,
        codes: list[tuple[Step, int]],
    ) -> None:  # fmt: skip
        name, code = step.name, codes[0][1]
        self._result.missed += missed
        if not missed:
            self._result.points += 1
            self._result.ways[way] += 1
            self._result.stages[f"{name if name in STAGES else 'day'} {hit.rpartition(' ')[2]}"] += 1
            self._result.outcomes["done" if code == 0 else "failed" if code == FAILED else "killed"] += 1
        also = f" beside {beside}" if beside else ""
        last = step.lines[-1][:150] if step.lines else ""
        over = " (over already)" if missed else ""
        self._tell(f"  {name}{also}, {hit}: {way} at {moment:.2f} s{over}: {code}, {last}")
        for one, ended in codes:
            if any("Traceback" in line for line in one.lines):
                self._problem(f"{name}{also}, {way}: a traceback in {one.name}, code {ended}: {one.lines[-12:]}")
        if left := self._world.wait_for_nobody():
            self._problem(f"{name}, {way}: processes {left} are still there")

    def _possible(self, way: str) -> bool:
        return self._world.is_mounted or way not in {"full", "read-only"}

    def _disturb(self, way: str, step: Step, *, pause: float, left_kilobytes: int, off: float) -> None:
        workers = step.children()
        if way == "run" or (way == "worker" and not workers):
            step.kill(signal.SIGKILL)
        elif way == "worker":
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._draw.choice(workers), signal.SIGKILL)
        elif way == "all":
            step.kill_session()
        elif way == "stop":
            step.kill(signal.SIGTERM)
        elif way in {"postgres", "backend"}:
            self._world.kill_postgres(only_a_backend=way == "backend")
            time.sleep(pause)
            self._world.start_postgres()
        elif way == "full":
            self._world.fill(left_kilobytes=left_kilobytes)
        elif way == "clock":
            self._world.step_clock(off)
        elif way in {"s3", "both servers"}:
            self._world.kill_s3()
            if way == "both servers":
                self._world.kill_postgres(only_a_backend=False)
                self._world.start_postgres()
            time.sleep(pause)
            self._world.start_s3()

    def _problem(self, text: str) -> None:
        self._tell(f"  PROBLEM {text}")
        self._result.problems.append(text)


def run_suite(
    folder: Path,
    *,
    points: int,
    seed: int,
    ways: Collection[str] = tuple(WAYS),
    is_short: bool = False,
    tell: Callable[[str], None] = print,
) -> Result:
    """Rounds until so many points are done, of these ways alone; round N has the seed ``seed + N``.

    The short form, for ``make test``, leaves optional steps out, and loads small divisions as what they are.
    """
    result = Result()
    server_folder = folder / "server"
    folder.chmod(0o755)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres(server_folder))
        options: dict[str, Any] = {
            "server": server,
            "server_folder": server_folder,
            "seed": DATA_SEED,
            "is_large": not is_short,
        }
        told: dict[str, Any] = {"seconds": {}, "tell": tell, "result": result, "ways": ways, "is_short": is_short}
        with world(folder / "undisturbed", **options) as there:
            Round(there, seed=0, **told).run(points=0)
            expected = there.state()
        while result.points < points:
            tell(f"seed {seed}:")
            with world(folder / f"seed-{seed}", **options) as there:
                one = Round(there, seed=seed, **told)
                one.run(points=points - result.points)
                found, wanted = there.state(), expected
            if one.skips:
                found, wanted = without_history(found), without_history(wanted)
            for line in differences(found, wanted):
                tell(f"  DIFFERENT {line}")
                result.problems.append(f"seed {seed}: {line}")
            seed += 1
    return result
