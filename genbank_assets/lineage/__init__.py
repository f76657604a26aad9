"""Traces records across all stages, and verifies what was published."""
