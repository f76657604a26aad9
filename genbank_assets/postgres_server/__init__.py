"""The embedded PostgreSQL server of a store: its programs, files, account, users and life cycle.

``server`` starts and stops it; only ``database_url`` and the commands ``stop`` and ``psql`` use it. Database content
belongs to ``postgres``, which only receives a URL.
"""
