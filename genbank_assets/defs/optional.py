"""Assets that an installation may not be set up for: left out of a run of many, an error in a run that asks for them.

"Materialize all" selects them too, and what nobody set up must not fail the mirror's run. What an asset needs belongs
to its own module.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from genbank_assets.errors import NotFoundError, SettingsError


def is_left_out(context: dg.AssetExecutionContext, *, needs: Callable[[], object]) -> bool:
    """Return whether the asset is to yield nothing, because the run selects others too and what it needs is not here.

    The asset says ``output_required=False``; its checks are then skipped by Dagster. The reason is in the run's log.

    Args:
        context: the asset's.
        needs: raises what the asset would fail with.

    Raises:
        SettingsError: a setting is missing, and the run is of this asset alone.
        NotFoundError: a program is, and the run is of this asset alone.
    """
    try:
        needs()
    except (SettingsError, NotFoundError) as error:
        if (context.run.asset_selection or frozenset()) <= context.selected_asset_keys:
            raise
        context.log.warning(f"{context.asset_key.to_user_string()} is left out of this run: {error}")
        return True
    return False
