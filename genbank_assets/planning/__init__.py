"""What a release will need: hours, disk, rows and requests per division, from measured rates."""
