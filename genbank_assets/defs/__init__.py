"""The thin Dagster layer: the only package allowed to import dagster."""
