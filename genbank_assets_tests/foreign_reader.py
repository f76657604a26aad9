"""Reads Parquet files with one library, in an environment without this package, and prints a digest of their content.

``python foreign_reader.py LIBRARY < tables.json`` takes ``{kind: path}`` and prints ``{kind: [rows, digest] or error
text}``. The digest covers all values, including nested ones, in a form independent of the library, so that readers can
be compared. Used only by ``test_readers`` and ``scripts/test-readers``; must run with old versions of everything.
"""

import datetime as dt
import hashlib
import json
import math
import sys


def pyarrow_rows(path):
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read().to_pylist()


def pandas_rows(path):
    import pandas as pd

    return pd.read_parquet(path, engine="pyarrow").to_dict("records")


def fastparquet_rows(path):
    import fastparquet

    return fastparquet.ParquetFile(path).to_pandas().to_dict("records")


def polars_rows(path):
    import polars as pl

    return pl.read_parquet(path).to_dicts()


def duckdb_rows(path):
    import duckdb

    found = duckdb.connect().execute("SELECT * FROM read_parquet('{}')".format(path.replace("'", "''")))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def pyspark_rows(path):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    spark = (
        builder.config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate()
    )
    spark.sparkContext.setLogLevel("OFF")
    return [row.asDict(recursive=True) for row in spark.read.parquet(path).collect()]


def plain(value):
    """Convert a value to JSON in the same form for all libraries: no numpy arrays, no NaN, integers without a point."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, float):
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, (dt.date, dt.datetime)):
        return value.isoformat()[:10]
    return value


def read(library, tables):
    answers = {}
    for kind, path in tables.items():
        try:
            rows = [plain(row) for row in globals()[library + "_rows"](path)]
            lines = sorted(json.dumps(row, sort_keys=True) for row in rows)
            answers[kind] = [len(lines), hashlib.sha256("\n".join(lines).encode()).hexdigest()]
        except BaseException as error:  # a polars panic is not an Exception
            answers[kind] = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return answers


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(read(sys.argv[1], json.load(sys.stdin))) + "\n")
