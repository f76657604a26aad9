"""Estimates what a release will need: time, disk, rows and requests per division, from measured rates."""
