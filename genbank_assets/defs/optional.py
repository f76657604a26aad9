"""Assets that need optional programs or settings: skipped in a larger run, an error if requested alone.

"Materialize all" also selects these assets, and missing optional requirements must not fail the mirror's run. The
requirements of an asset belong to its module.
See https://docs.dagster.io/guides/build/assets/defining-assets
"""

from __future__ import annotations

from collections.abc import Callable

import dagster as dg

from genbank_assets.errors import NotFoundError, SettingsError


def is_left_out(context: dg.AssetExecutionContext, *, needs: Callable[[], object]) -> bool:
    """Return whether to skip the asset because its requirements are missing and the run also selects other assets.

    The asset must have ``output_required=False``; Dagster then skips its checks. The reason is written to the run's
    log.

    Args:
        context: context of the asset.
        needs: raises an error if a requirement is missing.

    Raises:
        SettingsError: a setting is missing, and the run selects only this asset.
        NotFoundError: a program is missing, and the run selects only this asset.
    """
    try:
        needs()
    except (SettingsError, NotFoundError) as error:
        if (context.run.asset_selection or frozenset()) <= context.selected_asset_keys:
            raise
        context.log.warning(f"{context.asset_key.to_user_string()} is skipped in this run: {error}")
        return True
    return False
