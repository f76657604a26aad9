# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Residues as text: FASTA lines, spliced features, translations. Loops over bytes, without Python and the GIL.

Arrays in, bytes out. Which residues, which spans and which code belongs to the callers.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy, memset

import numpy as np

cdef uint8_t COMPLEMENT[256]
cdef uint8_t MASK[256]


cdef void _fill_tables():
    cdef int i
    for i in range(256):
        COMPLEMENT[i] = i
        MASK[i] = 0
    for one, other in zip(b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv", b"TGCAANYRSWMKVHDBtgcaanyrswmkvhdb"):
        COMPLEMENT[one] = other
    for letter, mask in zip(b"ACGTURYSWKMBDHVN", (1, 2, 4, 8, 8, 5, 10, 6, 9, 12, 3, 14, 13, 11, 7, 15)):
        MASK[letter] = mask


_fill_tables()


cdef int64_t[::1] _ints(values):
    return np.ascontiguousarray(values, dtype=np.int64)


cdef uint8_t[::1] _flags(values):
    return np.ascontiguousarray(values).view(np.uint8)


def fasta_text(residues, starts, ends, begins, headers, header_offsets, *, int64_t width=60, int64_t column=0,
               close=True):
    """Pieces of residues as FASTA.

    Args:
        residues: buffer that holds all pieces.
        starts: where each piece begins in the buffer, (n,).
        ends: where it ends, (n,).
        begins: whether it begins an entry; the others go on with the entry before, (n,).
        headers: buffer of the entries' first lines, ``>`` and line end included.
        header_offsets: where each of them begins, and the end of the last, (entries + 1,).
        width: residues in a line; 0 writes each sequence in one line.
        column: residues already in the line that is open.
        close: whether the last entry ends here.

    Returns:
        The text, where in it each entry begins (entries,), and the residues in the line that is open at its end.

    Raises:
        IndexError: a piece lies outside of the buffer, or headers do not fit the entries.
    """
    cdef int64_t[::1] first = _ints(starts), last = _ints(ends), header_at = _ints(header_offsets)
    cdef uint8_t[::1] is_begin = _flags(begins)
    cdef int64_t n = first.shape[0], entries = header_at.shape[0] - 1, size = 0, at = 0, i, col = column
    cdef int64_t count, begun = 0
    cdef bint closing = close
    cdef Py_buffer text, names
    cdef uint8_t* out
    cdef int64_t[::1] entry_at
    PyObject_GetBuffer(residues, &text, PyBUF_SIMPLE)
    PyObject_GetBuffer(headers, &names, PyBUF_SIMPLE)
    try:
        for i in range(n):
            if first[i] < 0 or last[i] < first[i] or last[i] > text.len:
                raise IndexError("a piece lies outside of its buffer")
            begun += is_begin[i]
            count = last[i] - first[i]
            size += count + (count // width if width else 0) + 2
        if begun != entries or (entries >= 0 and (header_at[entries] > names.len or header_at[0] < 0)):
            raise IndexError("headers do not fit the entries")
        size += (header_at[entries] - header_at[0]) + 2 + entries
        positions = np.empty(entries, np.int64)
        filled = PyBytes_FromStringAndSize(NULL, size)
        out = <uint8_t*> PyBytes_AS_STRING(filled)
        entry_at = positions
        with nogil:
            at = _fasta(<const uint8_t*> text.buf, first, last, is_begin, <const uint8_t*> names.buf, header_at, width,
                        &col, entry_at, out, n)
        if closing and col:
            out[at] = 10
            at += 1
            col = 0
    finally:
        PyBuffer_Release(&text)
        PyBuffer_Release(&names)
    return memoryview(filled)[:at], positions, col


cdef int64_t _fasta(const uint8_t* text, int64_t[::1] first, int64_t[::1] last, uint8_t[::1] is_begin,
                    const uint8_t* names, int64_t[::1] header_at, int64_t width, int64_t* column,
                    int64_t[::1] positions, uint8_t* out, int64_t n) noexcept nogil:
    cdef int64_t i, entry = 0, at = 0, count, part, col = column[0]
    cdef const uint8_t* source
    for i in range(n):
        if is_begin[i]:
            if col:
                out[at] = 10
                at += 1
                col = 0
            positions[entry] = at
            count = header_at[entry + 1] - header_at[entry]
            memcpy(out + at, names + header_at[entry], count)
            at += count
            entry += 1
        source = text + first[i]
        count = last[i] - first[i]
        if width == 0:
            memcpy(out + at, source, count)
            at += count
            col = 1 if count or col else 0
            continue
        while count:
            part = width - col
            if part > count:
                part = count
            memcpy(out + at, source, part)
            at += part
            source += part
            count -= part
            col += part
            if col == width:
                out[at] = 10
                at += 1
                col = 0
    column[0] = col
    return at


def spliced(residues, bases, span_offsets, span_starts, span_ends, span_reverse):
    """The residues of features, their spans joined in reading order and complemented where they are reversed.

    Args:
        residues: buffer that holds the residues of the features' records, in upper case.
        bases: where in the buffer each feature's record begins, (features,).
        span_offsets: number of each feature's first span, and of all, (features + 1,).
        span_starts: first residue of each span in its record, from 1, (spans,).
        span_ends: last residue; before the first one for an empty span, (spans,).
        span_reverse: whether the span is read on the other strand, (spans,).

    Returns:
        All residues, and where each feature's begin and the last one's end, (features + 1,).

    Raises:
        IndexError: a span lies outside of the buffer.
    """
    cdef int64_t[::1] base = _ints(bases), offset = _ints(span_offsets), start = _ints(span_starts)
    cdef int64_t[::1] end = _ints(span_ends)
    cdef uint8_t[::1] reverse = _flags(span_reverse)
    cdef int64_t features = base.shape[0], f, s, size = 0
    cdef Py_buffer text
    cdef uint8_t* out
    cdef int64_t[::1] found
    offsets = np.zeros(features + 1, np.int64)
    found = offsets
    PyObject_GetBuffer(residues, &text, PyBUF_SIMPLE)
    try:
        for f in range(features):
            for s in range(offset[f], offset[f + 1]):
                if end[s] >= start[s]:
                    if start[s] < 1 or base[f] + end[s] > text.len or base[f] < 0:
                        raise IndexError("a span lies outside of its record")
                    size += end[s] - start[s] + 1
            found[f + 1] = size
        joined = PyBytes_FromStringAndSize(NULL, size)
        out = <uint8_t*> PyBytes_AS_STRING(joined)
        with nogil:
            _splice(<const uint8_t*> text.buf, base, offset, start, end, reverse, out, features)
    finally:
        PyBuffer_Release(&text)
    return joined, offsets


cdef void _splice(const uint8_t* text, int64_t[::1] base, int64_t[::1] offset, int64_t[::1] start, int64_t[::1] end,
                  uint8_t[::1] reverse, uint8_t* out, int64_t features) noexcept nogil:
    cdef int64_t f, s, i, count
    cdef const uint8_t* source
    for f in range(features):
        for s in range(offset[f], offset[f + 1]):
            count = end[s] - start[s] + 1
            if count <= 0:
                continue
            source = text + base[f] + start[s] - 1
            if reverse[s]:
                for i in range(count):
                    out[i] = COMPLEMENT[source[count - 1 - i]]
            else:
                memcpy(out, source, count)
            out += count


def complemented(residues):
    """The residues of the other strand, in its reading order."""
    cdef Py_buffer text
    cdef int64_t i, n
    cdef uint8_t* out
    PyObject_GetBuffer(residues, &text, PyBUF_SIMPLE)
    try:
        n = text.len
        other = PyBytes_FromStringAndSize(NULL, n)
        out = <uint8_t*> PyBytes_AS_STRING(other)
        for i in range(n):
            out[i] = COMPLEMENT[(<const uint8_t*> text.buf)[n - 1 - i]]
    finally:
        PyBuffer_Release(&text)
    return other


def translated(residues, offsets, frames, codes, from_start, tables, start_tables):
    """Coding sequences as amino acids.

    Args:
        residues: buffer of spliced coding sequences, in upper case.
        offsets: where each begins, and the end of the last, (n + 1,).
        frames: residues to pass over before the first codon, (n,).
        codes: row of the tables for each, (n,).
        from_start: whether the first codon is read as a start codon, (n,).
        tables: amino acid of each codon, three four-bit sets of bases, as letters, (codes, 4096).
        start_tables: the same of start codons, 0 where it is none, (codes, 4096).

    Returns:
        The letters; where each begins, and the end of the last (n + 1,); and whether the last letter is that of a codon
        with fewer than three bases, (n,). A stop is ``*``.
    """
    cdef int64_t[::1] offset = _ints(offsets), frame = _ints(frames), code = _ints(codes)
    cdef uint8_t[::1] begin = _flags(from_start)
    cdef uint8_t[:, ::1] table = np.ascontiguousarray(tables, np.uint8)
    cdef uint8_t[:, ::1] starts = np.ascontiguousarray(start_tables, np.uint8)
    cdef int64_t n = frame.shape[0], i, size = 0, length
    cdef Py_buffer text
    cdef uint8_t* out
    cdef int64_t[::1] out_at
    cdef uint8_t[::1] cut
    out_offsets = np.zeros(n + 1, np.int64)
    out_at = out_offsets
    partial = np.zeros(n, np.bool_)
    cut = partial.view(np.uint8)
    PyObject_GetBuffer(residues, &text, PyBUF_SIMPLE)
    try:
        for i in range(n):
            length = offset[i + 1] - offset[i] - frame[i]
            if offset[i] < 0 or offset[i + 1] > text.len or code[i] < 0 or code[i] >= table.shape[0]:
                raise IndexError("a coding sequence lies outside of its buffer")
            size += (length + 2) // 3 if length > 0 else 0
            out_at[i + 1] = size
        letters = PyBytes_FromStringAndSize(NULL, size)
        out = <uint8_t*> PyBytes_AS_STRING(letters)
        with nogil:
            _translate(<const uint8_t*> text.buf, offset, frame, code, begin, table, starts, cut, out, n)
    finally:
        PyBuffer_Release(&text)
    return letters, out_offsets, partial


cdef void _translate(const uint8_t* text, int64_t[::1] offset, int64_t[::1] frame, int64_t[::1] code,
                     uint8_t[::1] begin, uint8_t[:, ::1] table, uint8_t[:, ::1] starts, uint8_t[::1] cut,
                     uint8_t* out, int64_t n) noexcept nogil:
    cdef int64_t i, at, stop, codon
    cdef bint is_first
    for i in range(n):
        at = offset[i] + frame[i]
        stop = offset[i + 1]
        is_first = True
        while at < stop:
            codon = MASK[text[at]] << 8
            codon |= (MASK[text[at + 1]] if at + 1 < stop else 15) << 4
            codon |= MASK[text[at + 2]] if at + 2 < stop else 15
            out[0] = table[code[i], codon]
            if is_first and begin[i] and starts[code[i], codon]:
                out[0] = starts[code[i], codon]
            is_first = False
            if at + 2 >= stop:
                cut[i] = 1
            out += 1
            at += 3
