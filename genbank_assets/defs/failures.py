"""Translates the core's errors into readable Dagster failures and retries the transient ones.

Only errors with ``GenbankAssetsError.transient`` are retried: a bug, a full disk or an invalid setting does not go away
within a minute. ``RETRIES`` is applied here rather than as a policy of the assets, because Dagster would apply a policy
after Ctrl-C as well. The meaning of errors belongs to ``errors``.
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
    """Translate exceptions of the block into a ``dg.Failure`` whose description is the error message.

    Raises:
        dagster.RetryRequested: the error is transient and attempts are left. The last attempt fails with the error
            itself, where Dagster's policy would only report that the retries were exceeded.
        dagster.Failure: any other error.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except dg.DagsterExecutionInterruptedError:
        settle()  # so that a command's run is marked as canceled; Dagster would record a failure
        raise
    except Exception as error:
        sentence = redacted(f"{type(error).__name__}: {str(error).strip() or 'no reason was given'}")
        transient = isinstance(error, GenbankAssetsError) and error.transient
        tries = context.retry_number + 1
        if transient and tries <= RETRIES.max_retries:
            seconds = RETRIES.calculate_delay(tries)
            context.log.warning(
                f"{sentence} Attempt {tries + 1} of {RETRIES.max_retries + 1} follows in {seconds:.0f} s."
            )
            raise dg.RetryRequested(max_retries=RETRIES.max_retries, seconds_to_wait=seconds) from _to_be_shown(error)
        if transient:
            sentence += f" (after {tries} attempts)"
        raise dg.Failure(description=sentence, allow_retries=False) from _to_be_shown(error)


def _to_be_shown(error: Exception) -> Exception | None:
    """Return the error as the cause shown in Dagster's event log; None if a message in its chain contains a secret."""
    return None if any(redacted(str(one)) != str(one) for one in causes(error)) else error
