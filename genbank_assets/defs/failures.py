"""The core's errors as failures that a person can read, and which of them Dagster tries again.

``GenbankAssetsError.transient`` says which may pass; nothing else is tried again: a bug, a full disk or a wrong setting
is the same a minute later. How often and after how long is ``RETRIES``; it is asked for here and not given to the
assets as their policy, because Dagster would follow that after Ctrl-C too. What an error means belongs to ``errors``.
See https://docs.dagster.io/guides/build/ops/op-retries
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from genbank_assets.errors import GenbankAssetsError, causes
from genbank_assets.redaction import redacted
from genbank_assets.stopping import settle

if TYPE_CHECKING:
    from dagster import OpExecutionContext

RETRIES = dg.RetryPolicy(max_retries=2, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextlib.contextmanager
def failures(context: OpExecutionContext | dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> Iterator[None]:
    """Raise what the block raises as a ``dg.Failure`` whose description is the error's sentence.

    Raises:
        dagster.RetryRequested: the error may pass and tries are left. The last try fails with the reason itself, where
            Dagster would say that the number of retries was exceeded.
        dagster.Failure: any other error.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except dg.DagsterExecutionInterruptedError:
        settle()  # a command's run is then cancelled; otherwise Dagster takes the interrupt for a failure
        raise
    except Exception as error:
        sentence = redacted(f"{type(error).__name__}: {str(error).strip() or 'no reason was given'}")
        transient = isinstance(error, GenbankAssetsError) and error.transient
        tries = context.retry_number + 1
        if transient and tries <= RETRIES.max_retries:
            seconds = RETRIES.calculate_delay(tries)
            context.log.warning(
                f"{sentence} This may pass: try {tries + 1} of {RETRIES.max_retries + 1} follows in {seconds:.0f} s."
            )
            raise dg.RetryRequested(max_retries=RETRIES.max_retries, seconds_to_wait=seconds) from _to_be_shown(error)
        if transient:
            sentence += f" (tried {tries} times)"
        raise dg.Failure(description=sentence, allow_retries=False) from _to_be_shown(error)


def _to_be_shown(error: Exception) -> Exception | None:
    """The error for Dagster's event log, with what caused it; None where one of their messages holds a secret."""
    return None if any(redacted(str(one)) != str(one) for one in causes(error)) else error
