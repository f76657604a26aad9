# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""First lines of FASTA entries, joined of columns of text. Loops over bytes, without Python and the GIL.

Which columns belongs to the callers; residues belong to ``residue_text``.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t

import numpy as np


cdef int64_t _space(const uint8_t* p, int64_t left) noexcept nogil:
    """Bytes of the white space that a UTF-8 text begins with, as Unicode has it; 0 for something else."""
    cdef uint8_t c = p[0]
    if c == 32 or (9 <= c <= 13):
        return 1
    if c < 0xC2:
        return 0
    if c == 0xC2:
        return 2 if left >= 2 and (p[1] == 0x85 or p[1] == 0xA0) else 0
    if left < 3:
        return 0
    if c == 0xE1:
        return 3 if p[1] == 0x9A and p[2] == 0x80 else 0
    if c == 0xE2:
        if p[1] == 0x80 and (0x80 <= p[2] <= 0x8A or p[2] == 0xA8 or p[2] == 0xA9 or p[2] == 0xAF):
            return 3
        return 3 if p[1] == 0x81 and p[2] == 0x9F else 0
    if c == 0xE3:
        return 3 if p[1] == 0x80 and p[2] == 0x80 else 0
    return 0


cdef int64_t _stripped(const uint8_t* p, int64_t n) noexcept nogil:
    """Bytes of a UTF-8 text without the white space at its end."""
    cdef int64_t width, k
    while n:
        width = 0
        for k in range(1, 4):
            if k <= n and _space(p + n - k, k) == k:
                width = k
        if not width:
            return n
        n -= width
    return n


def header_lines(parts, *, int64_t rows, int64_t words):
    """First lines of FASTA entries: ``>``, parts of text one behind another, line end.

    In the parts of the first word white space becomes ``_``; elsewhere control characters become spaces, one for as
    many as follow each other. White space at the end of a line goes.

    Args:
        parts: for each part its buffer, and where in it each row's text begins and the last one's ends, (rows + 1,);
            None instead for the same text in every row.
        rows: number of lines.
        words: how many parts make the first word.

    Returns:
        The text, and where each line begins and the last one ends, (rows + 1,).

    Raises:
        IndexError: a text lies outside of its buffer.
    """
    cdef int64_t size = 2 * rows, row, at = 0, begun, i, n, width
    cdef const uint8_t* p
    cdef uint8_t* out
    cdef int64_t[::1] found, places
    cdef bint in_space, in_control
    cdef Py_ssize_t part, count = len(parts)
    buffers = [np.frombuffer(buffer, np.uint8) if len(buffer) else np.zeros(1, np.uint8) for buffer, _ in parts]
    every = []
    for (buffer, at_rows), held in zip(parts, buffers):
        offsets = np.zeros(2, np.int64) if at_rows is None else np.ascontiguousarray(at_rows, dtype=np.int64)
        if at_rows is None:
            offsets[1] = len(buffer)
            size += rows * len(buffer)
        else:
            inside = len(offsets) == rows + 1 and offsets[0] >= 0 and offsets[rows] <= len(held)
            if not inside or (np.diff(offsets) < 0).any():
                raise IndexError("a text lies outside of its buffer")
            size += int(offsets[rows] - offsets[0])
        every.append(offsets)
    bases = np.array([held.ctypes.data for held in buffers], np.uintp)
    starts = np.array([offsets.ctypes.data for offsets in every], np.uintp)
    steps = np.array([0 if at_rows is None else 1 for _, at_rows in parts], np.int64)
    cdef size_t[::1] base = bases, start = starts
    cdef int64_t[::1] step = steps
    cdef int64_t* offset
    line_at = np.zeros(rows + 1, np.int64)
    found = line_at
    text = PyBytes_FromStringAndSize(NULL, size)
    out = <uint8_t*> PyBytes_AS_STRING(text)
    with nogil:
        for row in range(rows):
            out[at] = 62
            at += 1
            begun = at
            in_control = False
            for part in range(count):
                offset = <int64_t*> start[part] + row * step[part]
                p = <const uint8_t*> base[part] + offset[0]
                n = offset[1] - offset[0]
                in_space = False
                i = 0
                while i < n:
                    width = _space(p + i, n - i) if part < words else 0
                    if width:
                        if not in_space:
                            out[at] = 95
                            at += 1
                        in_space = True
                        in_control = False
                        i += width
                        continue
                    in_space = False
                    if p[i] < 32 or p[i] == 127:
                        if not in_control:
                            out[at] = 32
                            at += 1
                        in_control = True
                    else:
                        out[at] = p[i]
                        at += 1
                        in_control = False
                    i += 1
            at = begun + _stripped(out + begun, at - begun)
            out[at] = 10
            at += 1
            found[row + 1] = at
    return text, line_at
