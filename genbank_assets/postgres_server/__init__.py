"""The embedded PostgreSQL server of a store: its programs, files, account, users and life.

``server`` starts and stops it; ``database_url`` and the commands ``stop`` and ``psql`` are the only ones that ask. What
is sent to the database belongs to ``postgres``, which knows a URL and no more.
"""
