"""Across the stages: where a record came from and where it went."""
