"""The Dagster layer, a thin wrapper around the core; besides ``definitions.py`` the only code that imports dagster."""
