# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The native scanner: bytes of a flat file in, Arrow record batches out, in constant memory.

Any split of the input gives the same batches. Lines are looked at once, where they lie; text goes straight into Arrow
column buffers, residues into chunks of at most ``chunk_bytes``. No Python object is made per record. A block that
cannot be a row is taken back and reported; scanning goes on. Opening and inflating files belongs to ``reader``.
Order of the parts: columns < arrow (hand-over) < text < locations < record (its state) < joins (of lines) < locus,
other_lines, keywords, header, fields < features < residues < digests < row < lines < this file (batches, quarantine).
"""

import pyarrow as pa

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset, strlen

from genbank_assets.schema.tables import CHUNK_SCHEMA, RECORD_SCHEMA

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <string.h>
    static void *gba_memmem(const void *h, size_t n, const void *p, size_t m) {
        const unsigned char *a = (const unsigned char *)h;
        if (m > n) return NULL;
        for (size_t i = 0; i + m <= n; i++) {
            const unsigned char *q = (const unsigned char *)memchr(a + i, *(const unsigned char *)p, n - m - i + 1);
            if (!q) return NULL;
            if (memcmp(q, p, m) == 0) return (void *)q;
            i = (size_t)(q - a);
        }
        return NULL;
    }
    """
    void* memmem "gba_memmem"(const void*, size_t, const void*, size_t) noexcept nogil

cdef extern from "sha256.h" nogil:
    ctypedef struct sha256_t:
        pass
    int sha256_accelerated
    int sha256_detect()
    void sha256_init(sha256_t* h)
    void sha256_update(sha256_t* h, const uint8_t* p, size_t n)
    void sha256_update_pair(sha256_t* h, const uint8_t* p, size_t n, sha256_t* g, const uint8_t* q, size_t m)
    void sha256_side_by_side(sha256_t* h, const uint8_t** p, size_t* n, sha256_t* g, const uint8_t** q, size_t* m)
    void sha256_final(sha256_t* h, uint8_t* out)

cdef extern from "residues.h" nogil:
    int is_coordinate(const uint8_t* p, size_t width), residues_sixty(const uint8_t* p, uint8_t* out)
    int64_t coordinate(const uint8_t* p, size_t width)
    size_t residues_refused(const uint8_t* p, size_t n)
    Py_ssize_t residues_slow(const uint8_t* p, size_t n, uint8_t* out)
    void residues_gc(const uint8_t* p, size_t n, uint64_t* gc, uint64_t* acgt)
    int text_is_plain(const uint8_t* p, size_t n)
    int text_is_clean(const uint8_t* p, size_t n)
    int text_is_utf8(const uint8_t* p, size_t n)

cdef extern from "scanner_limits.h" nogil:
    const size_t RAW_LIMIT, LINE_LIMIT, RESIDUE_LINE_LIMIT, RESIDUE_STEP, FIRST_LINE_LIMIT
    const int PREAMBLE_LIMIT

include "columns.pxi"
include "arrow.pxi"
include "text.pxi"
include "locations.pxi"
include "record.pxi"
include "joins.pxi"
include "locus.pxi"
include "other_lines.pxi"
include "keywords.pxi"
include "header.pxi"
include "fields.pxi"
include "features.pxi"
include "residues.pxi"
include "digests.pxi"
include "row.pxi"
include "lines.pxi"

sha256_accelerated = sha256_detect()

LIMITS = {"raw_bytes": RAW_LIMIT, "line_bytes": LINE_LIMIT, "first_line_bytes": FIRST_LINE_LIMIT}

_WIDTHS = _widths(RECORD_SCHEMA) + _widths(CHUNK_SCHEMA)
if len(_WIDTHS) != ALL_COLS:
    raise ImportError(f"the scanner knows {ALL_COLS} columns, schema.tables has {len(_WIDTHS)}: rebuild the scanner")


cdef class Scanner:
    """Turns the bytes of one flat file into record batches of RECORD_SCHEMA and CHUNK_SCHEMA.

    Feed buffers in order, then call :meth:`finish`. Both return the batches completed meanwhile as
    ``("records" | "sequences", RecordBatch)``. A batch of records is at most ``batch_bytes`` plus one record's
    annotation, a batch of sequences at most ``sequence_batch_bytes`` plus one chunk.
    """

    cdef Scan s
    cdef list out
    cdef BufferPool pool
    cdef bytes head
    cdef object names
    cdef readonly list quarantine         # (offset, bytes, ordinal, line, accession, reason, raw text)
    cdef readonly list preamble           # lines before the first LOCUS
    cdef readonly list orphans            # ordinals of quarantined records some of whose chunks have left

    def __cinit__(self, *, source_file, collection="", section="", release="",
                  Py_ssize_t batch_bytes=4 << 20, Py_ssize_t chunk_bytes=1 << 20,
                  Py_ssize_t sequence_batch_bytes=2 << 20, Py_ssize_t annotation_limit=128 << 20):
        cdef int i
        memset(&self.s, 0, sizeof(Scan))
        self.names = (collection.encode(), release.encode(), source_file.encode("utf-8", "replace"),
                      section.encode())
        self.s.collection = self.names[0]
        self.s.collection_n = len(self.names[0])
        self.s.release = self.names[1]
        self.s.release_n = len(self.names[1])
        self.s.source_file = self.names[2]
        self.s.source_file_n = len(self.names[2])
        self.s.partition = self.names[3]
        self.s.partition_n = len(self.names[3])
        self.s.batch_bytes = batch_bytes
        self.s.chunk_bytes = max(chunk_bytes, 64)
        self.s.sequence_batch_bytes = sequence_batch_bytes
        self.s.annotation_limit = annotation_limit
        self.s.owner = <void*> self
        self.s.line = 1
        for i, (_, width) in enumerate(_WIDTHS):
            self.s.cols[i].width = width
        self.out = []
        self.pool = BufferPool()
        self.head = b""
        self.quarantine = []
        self.preamble = []
        self.orphans = []

    def __dealloc__(self):
        cdef int i
        for i in range(ALL_COLS):
            col_free(&self.s.cols[i])
        col_free(&self.s.carry)
        col_free(&self.s.raw)
        col_free(&self.s.line_text)
        col_free(&self.s.locus)
        col_free(&self.s.name)
        col_free(&self.s.accession)
        col_free(&self.s.version)
        col_free(&self.s.keywords)
        col_free(&self.s.organism)
        col_free(&self.s.reference)
        col_free(&self.s.dblink_key)
        col_free(&self.s.wgs_key)
        col_free(&self.s.location)
        col_free(&self.s.key)
        col_free(&self.s.value)
        free(self.s.spans.spans)

    def feed(self, const uint8_t[::1] data not None):
        """Take the next bytes of the uncompressed file."""
        if data.shape[0] == 0:
            return []
        if self.s.eol == 0:
            self.head += bytes(data)
            if not self._decide_line_end(False):
                return []
            data, self.head = self.head, b""
        with nogil:
            scan(&self.s, &data[0], data.shape[0])
            watch_annotation(&self.s)
        return self._taken()

    def finish(self):
        """The file is over: an open record is quarantined, the last batches are handed out."""
        cdef const uint8_t[::1] rest
        if self.s.eol == 0 and self.head:
            self._decide_line_end(True)
            rest, self.head = self.head, b""
            scan(&self.s, &rest[0], rest.shape[0])
        finish_scan(&self.s)
        if self.s.cols[C_RECORD_ORDINAL].rows:
            self._emit_records()
        if self.s.cols[C_CHUNK_RECORD].rows:
            self._emit_sequences()
        return self._taken()

    def abandon(self, reason):
        """The stream broke off: an open record is quarantined for that reason; batches as in :meth:`finish`."""
        cdef bytes text = reason.encode()
        if self.s.in_record:
            fail(&self.s, text, NULL, 0)
        return self.finish()

    @property
    def totals(self):
        """Figures of what was scanned so far."""
        return {
            "locus_lines": self.s.loci,
            "records": self.s.records,
            "quarantined": self.s.quarantined,
            "locus_fragments": self.s.fragments,
            "residues": self.s.total_residues,
            "with_sequence": self.s.with_sequence,
            "features": self.s.features,
            "text_bytes": self.s.at + <int64_t> (self.s.consumed + self.s.carry.n),
            "lines": self.s.line - 1,
            "stray_lines": self.s.stray_lines,
            "stray_line": self.s.stray_line if self.s.stray_lines else None,
            "stray_offset": self.s.stray_at if self.s.stray_lines else None,
            "sequence_sha256_xor": bytes(self.s.sequence_xor[:32]).hex(),
            "record_sha256_xor": bytes(self.s.record_xor[:32]).hex(),
        }

    cdef bint _decide_line_end(self, bint last):
        """Line feed, or, where the file's beginning has none, the bare carriage return of old Macs.

        One stray carriage return must not turn a whole file into one line.
        """
        if self.head.find(b"\n", 0, FIRST_LINE_LIMIT) >= 0:
            self.s.eol = 10
        elif last or len(self.head) >= FIRST_LINE_LIMIT:
            self.s.eol = 13 if self.head.find(b"\r", 0, FIRST_LINE_LIMIT) >= 0 else 10
        return self.s.eol != 0

    cdef list _taken(self):
        taken, self.out = self.out, []
        return taken

    cdef int _preamble(self, const uint8_t* p, size_t n) except -1:
        self.preamble.append(python_text(bytes(p[:min(n, <size_t> 200)])))
        return 0

    cdef int _quarantine(self, int64_t end_at) except -1:
        cdef Scan* s = &self.s
        cdef Col* best = &s.accession
        cdef size_t n = 0
        raw = bytes(s.raw.data[:s.raw.n]) if s.raw.n else b""
        if len(raw) < RAW_LIMIT and s.tail_n:
            raw += bytes(s.tail[:min(s.tail_n, <size_t> (RAW_LIMIT - len(raw)))])
        raw = raw[:end_at - s.record_at]
        while n < best.n and not is_blank(best.data[n]):
            n += 1
        if n == 0:
            best = &s.name
            n = best.n
        accession = bytes(best.data[:n]).decode("utf-8", "replace").replace("\0", "") if n else None
        reason = s.reason.decode()
        detail = python_text(s.detail).strip(" \t\r") if s.detail[0] else ""
        if detail:
            reason += detail if reason.endswith(" ") else f": {detail}"
        self.quarantine.append(
            (s.record_at, end_at - s.record_at, s.ordinal, s.bad_line, accession, reason, raw)
        )
        s.quarantined += 1
        if s.chunks_emitted:
            self.orphans.append(s.ordinal)
        s.tail_n = 0
        return 0

    cdef int _quarantine_fragment(self, const uint8_t* p, size_t n, size_t total) except -1:
        cdef Scan* s = &self.s
        text = bytes(p[:n]) + bytes([s.eol] * (total - n))
        reason = "a LOCUS line without length inside a record"
        self.quarantine.append((s.at, total, s.loci, s.line, None, reason, text[:RAW_LIMIT]))
        s.loci += 1
        s.quarantined += 1
        s.fragments += 1
        return 0

    cdef int _emit_records(self) except -1:
        cdef int at = 0
        finish_digests(&self.s)
        cdef Col* cols = self.s.cols
        arrays = [take_array(cols, &at, field.type, self.pool, 0) for field in RECORD_SCHEMA]
        self.out.append(("records", pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA)))
        self.s.pending_bytes = 0
        return 0

    cdef int _emit_sequences(self) except -1:
        cdef int at = 0
        cdef Col* cols = self.s.cols + RECORD_COLS
        arrays = [take_array(cols, &at, field.type, self.pool, RECORD_COLS) for field in CHUNK_SCHEMA]
        self.out.append(("sequences", pa.RecordBatch.from_arrays(arrays, schema=CHUNK_SCHEMA)))
        return 0


def sha256(const uint8_t[::1] data not None, *, accelerated=True):
    """SHA-256 by the scanner's own code; for tests against hashlib."""
    global sha256_accelerated
    cdef sha256_t h
    cdef uint8_t digest[32]
    before = sha256_accelerated
    sha256_accelerated = sha256_detect() if accelerated else 0
    sha256_init(&h)
    if data.shape[0]:
        sha256_update(&h, &data[0], data.shape[0])
    sha256_final(&h, digest)
    sha256_accelerated = before
    return bytes(digest[:32])
