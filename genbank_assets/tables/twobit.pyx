# cython: language_level=3
"""Residues as a zstd frame at two bits each, without the search for matches that is in vain among four letters.

The frame's layout is in ``twobit.h``. When such a frame is the better one is for the callers to know: the Parquet file
of residues and packs of objects.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t


cdef extern from "twobit.h" nogil:
    size_t TWOBIT_STEP
    size_t TWOBIT_MISFIT
    int twobit_wide()
    size_t twobit_frame(
        const uint8_t* head, size_t head_n, const uint8_t* p, size_t n, uint8_t* out, size_t most, int wide
    )


def two_bit_frame(residues, *, head=b"", accelerated=True):
    """The zstd frame of ``head`` and then ``residues``, or None where too much of them is not A, C, G or T.

    Args:
        residues: text in upper case, at most 4 GiB with its head.
        head: bytes that come first and are kept as they are.
        accelerated: False keeps to portable code, for tests; the frame is the same.

    Returns:
        The frame, whose content size is in its header, or None when it would be a sixteenth over two bits a residue:
        then zstd's own code is the better one.

    Raises:
        ValueError: more than 4 GiB.
        TypeError, BufferError: no buffer of contiguous bytes.
    """
    cdef Py_buffer text, before
    PyObject_GetBuffer(residues, &text, PyBUF_SIMPLE)
    try:
        PyObject_GetBuffer(head, &before, PyBUF_SIMPLE)
        try:
            return _frame(<const uint8_t*> before.buf, before.len, <const uint8_t*> text.buf, text.len,
                          twobit_wide() if accelerated else 0)
        finally:
            PyBuffer_Release(&before)
    finally:
        PyBuffer_Release(&text)


cdef _frame(const uint8_t* head, size_t head_n, const uint8_t* text, size_t n, int wide):
    cdef size_t most = head_n + head_n // 1024 + n // 4 + n // 64 + 256, written
    cdef uint8_t* out
    if n + head_n > 0xFFFFFFFF:
        raise ValueError(f"{n + head_n:,} bytes are more than a frame of residues may have")
    frame = PyBytes_FromStringAndSize(NULL, most + TWOBIT_STEP)
    out = <uint8_t*> PyBytes_AS_STRING(frame)
    with nogil:
        written = twobit_frame(head, head_n, text, n, out, most, wide)
    return None if written == TWOBIT_MISFIT else frame[:written]
