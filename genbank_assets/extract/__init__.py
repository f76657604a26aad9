"""Getting data out of a store: what is asked for, which records and features that is, and how they are written.

``selection`` says what; ``inputs`` finds the tables and ``plan`` the records in them; ``scan`` reads what was chosen;
``formats`` make text of it, ``engine`` runs them in parallel and in order, ``output`` writes files, shards and the
manifest. Start with :func:`genbank_assets.extract.run.extract`.
"""
