"""The project as it reaches people: Dagster's commands in a checkout, wheels, containers, units."""
