# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Lists of key/value pairs as JSON text: ``[["gene","dnaA"],["pseudo",null]]``.

Arrays of pairs keep order and repeated keys, which objects would not. Works on Arrow buffers without a Python object
per pair. Which columns are stored this way is said in ``ddl``.
"""

import pyarrow as pa

from libc.stdint cimport int32_t, int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy


cdef struct Text:
    uint8_t* p
    size_t n, cap


cdef inline int room(Text* t, size_t extra) except -1 nogil:
    cdef size_t cap
    cdef uint8_t* p
    if t.n + extra > t.cap:
        cap = t.cap * 2 if t.cap else 65536
        while cap < t.n + extra:
            cap *= 2
        p = <uint8_t*> realloc(t.p, cap)
        if p == NULL:
            with gil:
                raise MemoryError
        t.p = p
        t.cap = cap
    return 0


cdef int quoted(Text* t, const uint8_t* p, size_t n) except -1 nogil:
    """Append a JSON string (RFC 8259 §7); the bytes are UTF-8 already."""
    cdef const char* digits = b"0123456789abcdef"
    cdef size_t i
    cdef uint8_t c
    room(t, 6 * n + 2)
    t.p[t.n] = 34
    t.n += 1
    for i in range(n):
        c = p[i]
        if c == 34 or c == 92:
            t.p[t.n] = 92
            t.p[t.n + 1] = c
            t.n += 2
        elif c < 32:
            memcpy(t.p + t.n, b"\\u00", 4)
            t.p[t.n + 4] = digits[c >> 4]
            t.p[t.n + 5] = digits[c & 15]
            t.n += 6
        else:
            t.p[t.n] = c
            t.n += 1
    t.p[t.n] = 34
    t.n += 1
    return 0


cdef const uint8_t* address(object buffer):
    return <const uint8_t*> <uintptr_t> (buffer.address if buffer is not None else 0)


def pairs_json(pairs):
    """JSON text of each list.

    Args:
        pairs: ``list<struct<text, text>>`` array; the second text may be null.

    Returns:
        A ``large_string`` array of the same length, without nulls.

    Raises:
        TypeError: lists or texts have offsets of 64 bits, as in tables that Polars wrote.
    """
    type_ = pairs.type
    if not pa.types.is_list(type_) or any(not pa.types.is_string(type_.value_type.field(i).type) for i in range(2)):
        raise TypeError(f"pairs are list<struct<string, string>>, not {type_}")
    cdef const int32_t* lists = <const int32_t*> address(pairs.buffers()[1]) + <Py_ssize_t> pairs.offset
    struct_ = pairs.values
    keys, values = struct_.field(0), struct_.field(1)
    cdef const int32_t* key_at = <const int32_t*> address(keys.buffers()[1]) + <Py_ssize_t> keys.offset
    cdef const int32_t* value_at = <const int32_t*> address(values.buffers()[1]) + <Py_ssize_t> values.offset
    cdef const uint8_t* key_data = address(keys.buffers()[2])
    cdef const uint8_t* value_data = address(values.buffers()[2])
    cdef const uint8_t* valid = address(values.buffers()[0])
    cdef Py_ssize_t value_offset = values.offset
    cdef Py_ssize_t rows = len(pairs), row, i, bit
    cdef Text t
    cdef int64_t* offsets = <int64_t*> malloc((rows + 1) * sizeof(int64_t))
    t.p = NULL
    t.n = t.cap = 0
    if offsets == NULL:
        raise MemoryError
    try:
        with nogil:
            room(&t, 16)
            offsets[0] = 0
            for row in range(rows):
                room(&t, 2)
                t.p[t.n] = 91
                t.n += 1
                for i in range(lists[row], lists[row + 1]):
                    room(&t, 16)
                    if i > lists[row]:
                        t.p[t.n] = 44
                        t.n += 1
                    t.p[t.n] = 91
                    t.n += 1
                    quoted(&t, key_data + key_at[i], key_at[i + 1] - key_at[i])
                    bit = i + value_offset
                    room(&t, 16)
                    t.p[t.n] = 44
                    t.n += 1
                    if valid != NULL and not (valid[bit >> 3] >> (bit & 7)) & 1:
                        memcpy(t.p + t.n, b"null", 4)
                        t.n += 4
                    else:
                        quoted(&t, value_data + value_at[i], value_at[i + 1] - value_at[i])
                    room(&t, 2)
                    t.p[t.n] = 93
                    t.n += 1
                room(&t, 2)
                t.p[t.n] = 93
                t.n += 1
                offsets[row + 1] = t.n
        starts = pa.py_buffer(bytes((<uint8_t*> offsets)[:(rows + 1) * sizeof(int64_t)]))
        text = pa.py_buffer(bytes(t.p[:t.n]))
        return pa.Array.from_buffers(pa.large_string(), rows, [None, starts, text])
    finally:
        free(t.p)
        free(offsets)
