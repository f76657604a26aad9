"""Runs the programs of BLAST+ and DIAMOND, with FASTA streamed to their standard input.

Their arguments belong to ``build`` and ``self_search``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Any, Self

from genbank_assets.errors import IntegrityError, NotFoundError

PROGRAMS = ("makeblastdb", "blastdbcmd")  # required to build databases
SEARCH_PROGRAMS = ("blastn", "blastp")  # required by the check
_PACKAGES = {"diamond": ("DIAMOND", "diamond-aligner")}
# BLAST+ reports usage to NCBI unless this is disabled.
_ENVIRONMENT = {"BLAST_USAGE_REPORT": "false"}


def require_programs(*names: str) -> None:
    """Check that all required programs are installed.

    Raises:
        NotFoundError: one is missing.
    """
    for name in names:
        if shutil.which(name) is None:
            product, package = _PACKAGES.get(name, ("NCBI BLAST+", "ncbi-blast+"))
            raise NotFoundError(
                f"the program {name} is not on this machine: install {product} (Debian: apt-get install {package}) and "
                "try again"
            )


def has_diamond() -> bool:
    """Return whether DIAMOND is installed."""
    return shutil.which("diamond") is not None


def blast_version() -> str:
    """Return the version of BLAST+, such as ``2.12.0+``."""
    return run("makeblastdb", ["-version"]).split("\n", 1)[0].rpartition(" ")[2]


def run(name: str, arguments: Sequence[str], *, text: str = "") -> str:
    """Run a program with text on standard input, and return its output.

    Raises:
        NotFoundError: it is not installed.
        IntegrityError: it failed.
    """
    require_programs(name)
    done = subprocess.run(
        [name, *arguments], input=text, capture_output=True, text=True, check=False, env=os.environ | _ENVIRONMENT
    )
    if done.returncode:
        raise IntegrityError(f"{name} failed: {_last_line(done.stderr or done.stdout)}")
    return done.stdout


def count_lines(name: str, arguments: Sequence[str]) -> int:
    """Return the number of lines a program prints, without keeping them.

    Raises:
        NotFoundError: it is not installed.
        IntegrityError: it failed.
    """
    require_programs(name)
    with subprocess.Popen(
        [name, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=os.environ | _ENVIRONMENT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = sum(1 for _ in process.stdout)
    if process.returncode:
        raise IntegrityError(f"{name} failed ({process.returncode}) when it read what was made")
    return lines


class Feed:
    """A program that reads from standard input; it is killed if the block fails."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        require_programs(name)
        self._name = name
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._process = subprocess.Popen(
            [name, *arguments], stdin=subprocess.PIPE, stdout=self._said, stderr=self._said,
            env=os.environ | _ENVIRONMENT,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def write(self, data: Any) -> None:
        """Write data to the program.

        Raises:
            IntegrityError: the program has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            self._process.wait()
            raise self._failure() from None

    def finish(self) -> None:
        """Close standard input, and wait for the program to end.

        Raises:
            IntegrityError: it failed.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        if self._process.wait():
            raise self._failure()

    def _failure(self) -> IntegrityError:
        self._said.seek(0)
        said = self._said.read().decode(errors="replace")
        return IntegrityError(f"{self._name} failed ({self._process.returncode}): {_last_line(said)}")

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._said.close()


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [at for at, line in enumerate(lines) if "rror" in line]
    return " ".join(lines[errors[0] :][:3] if errors else lines[-1:])[:500] or "it said nothing"
