"""Types of the native JSON writer; see jsonpairs.pyx."""

import pyarrow as pa

def pairs_json(pairs: pa.ListArray) -> pa.LargeStringArray: ...
