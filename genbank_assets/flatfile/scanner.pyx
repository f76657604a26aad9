# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The native scanner: bytes of a flat file in, Arrow record batches out, in constant memory.

Bytes are pushed in buffers of any size; the state between two buffers is kept, so any split of the input gives the
same batches. Lines are looked at once, where they lie; text goes straight into Arrow column buffers, residues
into chunks of at most ``chunk_bytes``, and both digests are taken while the bytes are in cache. No Python object
is made per record. A block that cannot be a row is taken back and reported; scanning goes on.

Order of the parts: columns (Arrow buffers) < text < locations < record (its state) < locus, header, fields < features <
this file (the line loop, the end of a record, batches). Opening and inflating files belongs to ``reader``.
"""

import pyarrow as pa

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, memmove, memset, strlen

from genbank_assets.tables.schema import RECORD_SCHEMA, SEQUENCE_SCHEMA

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
    void sha256_final(sha256_t* h, uint8_t* out)

cdef extern from "residues.h" nogil:
    int is_coordinate(const uint8_t* p, size_t width)
    int residues_sixty(const uint8_t* p, uint8_t* out)
    size_t residues_refused(const uint8_t* p, size_t n)
    Py_ssize_t residues_slow(const uint8_t* p, size_t n, uint8_t* out)
    void residues_gc(const uint8_t* p, size_t n, uint64_t* gc, uint64_t* acgt)
    int text_is_plain(const uint8_t* p, size_t n)
    int text_is_utf8(const uint8_t* p, size_t n)

cdef extern from "scanner_limits.h" nogil:
    const size_t RAW_LIMIT, LINE_LIMIT, RESIDUE_LINE_LIMIT, RESIDUE_STEP, FIRST_LINE_LIMIT
    const int PREAMBLE_LIMIT

include "columns.pxi"
include "text.pxi"
include "locations.pxi"
include "record.pxi"
include "locus.pxi"
include "header.pxi"
include "fields.pxi"
include "features.pxi"

sha256_accelerated = sha256_detect()

LIMITS = {"raw_bytes": RAW_LIMIT, "line_bytes": LINE_LIMIT, "first_line_bytes": FIRST_LINE_LIMIT}

_WIDTHS = _widths(RECORD_SCHEMA) + _widths(SEQUENCE_SCHEMA)
if len(_WIDTHS) != ALL_COLS:
    raise ImportError(f"the scanner knows {ALL_COLS} columns, tables.schema has {len(_WIDTHS)}: rebuild the scanner")


# ---- residues ------------------------------------------------------------------------------------------------------

cdef int take_both(Scan* s, const uint8_t* upto, bint keep) except -1 nogil:
    """Hash the residues of the open chunk and the record's text up to here side by side."""
    cdef Col* c = &s.cols[C_RESIDUES]
    cdef size_t n = c.n - s.hashed
    sha256_update_pair(&s.record_hash, s.span, upto - s.span, &s.sequence_hash, c.data + s.hashed, n)
    if keep and s.raw.n < RAW_LIMIT:
        col_append(&s.raw, s.span, min(<size_t> (upto - s.span), RAW_LIMIT - s.raw.n))
    s.span = upto
    if s.unit == UNIT_BP:
        residues_gc(c.data + s.hashed, n, &s.gc, &s.acgt)
    s.hashed = c.n
    return 0


cdef int take_residues(Scan* s) except -1 nogil:
    """Hash and count the residues of the open chunk that are not yet."""
    cdef Col* c = &s.cols[C_RESIDUES]
    cdef size_t n = c.n - s.hashed
    if n:
        sha256_update(&s.sequence_hash, c.data + s.hashed, n)
        if s.unit == UNIT_BP:
            residues_gc(c.data + s.hashed, n, &s.gc, &s.acgt)
        s.hashed = c.n
    return 0


cdef int end_chunk(Scan* s) except -1 nogil:
    """Close the open chunk as a row; hand the sequence batch over when it is full."""
    cdef Col* c = &s.cols[C_RESIDUES]
    take_residues(s)
    text_end(c)
    i64_put(&s.cols[C_CHUNK_RECORD], s.ordinal)
    i32_put(&s.cols[C_CHUNK_ORDINAL], s.chunk)
    s.chunk += 1
    if c.n >= s.sequence_batch_bytes:
        with gil:
            (<Scanner> s.owner)._emit_sequences()
        s.chunks_emitted = True
        s.hashed = 0
    return 0


cdef int residue_text(Scan* s, const uint8_t* p, size_t n, bint endless) except -1 nogil:
    """Residues of a line, or of a part of an endless one, in pieces that fit the open chunk.

    Where an endless line is cut is the buffers' doing, so nothing that is said may depend on it.
    """
    cdef Col* c = &s.cols[C_RESIDUES]
    cdef Py_ssize_t got
    cdef size_t piece
    while n:
        piece = s.chunk_bytes - (c.n - text_start(c))
        if piece > n:
            piece = n
        col_room(c, piece + 64)
        got = residues_slow(p, piece, c.data + c.n)
        if got < 0:
            if endless:
                p += residues_refused(p, piece)
                n = 1
            return fail(s, b"a byte in the sequence is not a residue: ", p, n)
        c.n += got
        s.residues += got
        p += piece
        n -= piece
        if c.n - s.hashed >= RESIDUE_STEP:
            take_residues(s)
        if c.n - text_start(c) >= s.chunk_bytes:
            if s.residues > s.length and s.unit != UNIT_RC:
                return fail(s, b"more residues than the LOCUS line says", NULL, 0)
            end_chunk(s)
    return 0


cdef inline bint holds_residues(Scan* s, const uint8_t* p) noexcept nogil:
    """Whether an endless line that begins at `p` is taken as it comes: keywords, LOCUS and // are not."""
    return s.in_record and not s.bad and s.section == S_ORIGIN and (is_blank(p[0]) or is_digit(p[0]))


cdef int origin_line(Scan* s, const uint8_t* p, size_t n, bint complete, bint endless) except -1 nogil:
    """A line after ORIGIN, or one more piece of an endless one: coordinate and residues, or a keyword."""
    cdef size_t at, digits
    if not s.inside_line:
        if complete:
            n = rtrim(p, n)
        if n == 0:
            return 0
        if 65 <= p[0] <= 90 and (starts(p, n, b"CONTIG") or starts(p, n, b"WGS") or starts(p, n, b"FEATURES")
                                 or starts(p, n, b"BASE COUNT") or starts(p, n, b"COMMENT") or starts(p, n, b"PRIMARY")):
            return keyword_line(s, p, n)
        at = indent_of(p, min(n, RESIDUE_LINE_LIMIT))
        digits = at
        while digits < min(n, RESIDUE_LINE_LIMIT) and is_digit(p[digits]):
            digits += 1
        if digits == at and at == 0:
            return fail(s, b"a sequence line without coordinate: ", p, n)
        p += digits
        n -= digits
    s.inside_line = not complete
    residue_text(s, p, n, endless)
    if complete and s.residues > s.length and s.unit != UNIT_RC:
        return fail(s, b"more residues than the LOCUS line says", NULL, 0)
    return 0


cdef const uint8_t* whole_lines(Scan* s, const uint8_t* p, const uint8_t* end) except NULL nogil:
    """Take lines of exactly sixty residues from `p` on; returns the first byte that is not of one."""
    cdef Col* c = &s.cols[C_RESIDUES]
    cdef size_t width
    while end - p >= 82:          # residues_sixty reads to 71 bytes beyond a coordinate of ten columns
        if c.n - text_start(c) + 60 >= s.chunk_bytes:
            break                 # the general way fills the chunk, and closes it at once
        width = 9 if p[9] == 32 else 10
        if (p[width] != 32 or p[width + 66] != 10 or not is_coordinate(p, width)
                or p[width + 11] != 32 or p[width + 22] != 32 or p[width + 33] != 32 or p[width + 44] != 32
                or p[width + 55] != 32):
            break
        if s.residues + 60 > s.length:
            break                 # the general way reports it
        if c.n + 80 > c.cap:
            col_room(c, s.chunk_bytes + 80)
        if not residues_sixty(p + width + 1, c.data + c.n):
            break
        c.n += 60
        s.residues += 60
        s.line += 1
        s.at += width + 67
        p += width + 67
        if c.n - s.hashed >= RESIDUE_STEP:
            take_both(s, p, True)
    return p


# ---- the life of a record --------------------------------------------------------------------------------------------

cdef int hash_span(Scan* s, const uint8_t* upto, bint keep) except -1 nogil:
    """Hash the record's text in this buffer up to `upto`; keep its beginning for quarantine where asked."""
    cdef size_t n = upto - s.span
    sha256_update(&s.record_hash, s.span, n)
    if keep and s.raw.n < RAW_LIMIT:
        col_append(&s.raw, s.span, n if n < RAW_LIMIT - s.raw.n else RAW_LIMIT - s.raw.n)
    s.span = upto
    return 0


cdef int end_record(Scan* s, int64_t end_at) except -1 nogil:
    """Turn the record into a row, or into a quarantined block."""
    cdef uint8_t digest[32]
    cdef int i
    cdef double gc
    cdef Col* c = &s.cols[C_RESIDUES]
    if not s.bad:
        close_feature(s)
    if not s.bad and s.unit != UNIT_RC and s.residues and s.residues != s.length:
        fail(s, b"residues do not number what the LOCUS line says", NULL, 0)
    if not s.bad:
        finish_header(s)
    if s.bad:
        s.in_record = False
        with gil:
            (<Scanner> s.owner)._quarantine(end_at)
        return 0
    if s.residues:
        if text_open(c):
            end_chunk(s)
        sha256_final(&s.sequence_hash, digest)
        fixed_put(&s.cols[C_SEQUENCE_SHA256], digest)
        for i in range(32):
            s.sequence_xor[i] ^= digest[i]
        s.with_sequence += 1
    else:
        fixed_null(&s.cols[C_SEQUENCE_SHA256])
    if s.acgt:
        gc = <double> s.gc / <double> s.acgt
        fixed_put(&s.cols[C_GC_FRACTION], &gc)
    else:
        fixed_null(&s.cols[C_GC_FRACTION])
    sha256_final(&s.record_hash, digest)
    fixed_put(&s.cols[C_RECORD_SHA256], digest)
    for i in range(32):
        s.record_xor[i] ^= digest[i]
    if s.unit != UNIT_RC:
        s.total_residues += s.length
    s.features += s.cols[C_FEATURE_KEY].rows - s.cols[C_FEATURE_KEY].mark_rows
    finish_row(s, end_at)
    s.in_record = False
    s.records += 1
    if s.pending_bytes >= s.batch_bytes:
        with gil:
            (<Scanner> s.owner)._emit_records()
    return 0


cdef int finish_row(Scan* s, int64_t end_at) except -1 nogil:
    """The columns that are about the row itself, and the lists that are still open."""
    cdef Col* taxa = &s.cols[C_TAXON_IDS_ITEM]
    cdef int i
    list_end(&s.cols[C_FEATURES], s.cols[C_FEATURE_KEY].rows)
    list_end(&s.cols[C_NOTES], s.cols[C_NOTE].rows)
    keep_taxa_once(taxa)
    if taxa.rows > taxa.mark_rows:
        i64_put(&s.cols[C_TAXON_ID], (<int64_t*> taxa.data)[taxa.mark_rows])
    else:
        fixed_null(&s.cols[C_TAXON_ID])
    list_end(&s.cols[C_TAXON_IDS], taxa.rows)
    text_put(&s.cols[C_COLLECTION], s.collection, s.collection_n)
    text_put(&s.cols[C_RELEASE], s.release, s.release_n)
    text_put(&s.cols[C_SOURCE_FILE], s.source_file, s.source_file_n)
    i64_put(&s.cols[C_RECORD_OFFSET], s.record_at)
    i64_put(&s.cols[C_RECORD_BYTES], end_at - s.record_at)
    i64_put(&s.cols[C_RECORD_ORDINAL], s.ordinal)
    for i in range(RECORD_COLS):
        s.pending_bytes += s.cols[i].n - s.cols[i].mark_n + 4 * (s.cols[i].rows - s.cols[i].mark_rows)
    return 0


cdef inline bint is_locus(const uint8_t* p, size_t n) noexcept nogil:
    return n >= 5 and p[0] == 76 and memcmp(p, b"LOCUS", 5) == 0


cdef int outside_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """A line that belongs to no record: blank, the division file's header, or stray text."""
    n = rtrim(p, n)
    if n == 0:
        return 0
    if s.loci == 0 and s.preamble_lines < PREAMBLE_LIMIT:
        s.preamble_lines += 1
        with gil:
            (<Scanner> s.owner)._preamble(p, n)
        return 0
    if s.stray_lines == 0:
        s.stray_line = s.line
        s.stray_at = s.at
    s.stray_lines += 1
    return 0


cdef int take_line(Scan* s, const uint8_t* p, size_t n, size_t total, const uint8_t* after, bint carried) except -1 nogil:
    """One line without its end. `total` counts the line with its end, `after` is the byte behind it in this buffer."""
    cdef size_t line_n = n
    if s.inside_line:
        return origin_line(s, p, n, True, True)
    if n > RESIDUE_LINE_LIMIT and holds_residues(s, p):
        return origin_line(s, p, n, True, True)
    if n > LINE_LIMIT:
        return overlong_line(s, p)
    if n and p[n - 1] == 13:
        n -= 1
    if is_locus(p, n):
        return locus_found(s, p, n, line_n, total, after, carried)
    if not s.in_record:
        return outside_line(s, p, n)
    if n >= 2 and p[0] == 47 and p[1] == 47:
        s.tail = s.span
        s.tail_n = after - s.span
        if s.bad:
            hash_span(s, after, False)
        else:
            take_both(s, after, False)
        return end_record(s, s.at + <int64_t> total)
    if s.bad:
        return 0
    if not s.plain and n and memchr(p, 0, n) != NULL:
        return fail(s, b"binary data in the record", NULL, 0)
    if s.section == S_ORIGIN:
        return origin_line(s, p, n, True, False)
    if s.section == S_FEATURES:
        return feature_line(s, p, n)
    return header_line(s, p, n)


cdef int locus_found(
    Scan* s, const uint8_t* p, size_t n, size_t line_n, size_t total, const uint8_t* after, bint carried
) except -1 nogil:
    """A LOCUS line begins a record; one that is still open has lost its end.

    A LOCUS line without a length inside a record begins nothing: it is quarantined by itself and the record
    goes on (seen in genuine files, where such a line stands in the place of DEFINITION).
    """
    cdef Tokens t
    if s.in_record:
        locus_tokens(p, n, &t)
        if t.unit_at < 0:
            with gil:
                (<Scanner> s.owner)._quarantine_fragment(p, line_n, total)
            return 0
        fail(s, b"the next LOCUS line comes before //", NULL, 0)
        s.tail = s.span
        s.tail_n = 0 if carried else p - s.span
        end_record(s, s.at)
    begin_record(s, p, n)
    if not s.bad and not s.plain and memchr(p, 0, n) != NULL:
        fail(s, b"binary data in the record", NULL, 0)
    s.span = p
    if carried:
        s.span = p
        hash_span(s, p + s.carry.n, True)
        s.span = after - 1        # the line's end is the first byte of this buffer that is not hashed
    return 0


cdef int scan(Scan* s, const uint8_t* p, size_t size) except -1 nogil:
    """Take a buffer; what is left of its last line waits in `carry`."""
    cdef const uint8_t* end = p + size
    cdef const uint8_t* found
    cdef size_t n, total
    s.plain = text_is_plain(p, size) and (s.carry.n == 0 or text_is_plain(s.carry.data, s.carry.n))
    s.span = p
    while p < end:
        if (s.section == S_ORIGIN and s.in_record and not s.bad and s.carry.n == 0 and not s.inside_line
                and not s.skip_line and s.eol == 10):
            p = whole_lines(s, p, end)
        found = <const uint8_t*> memchr(p, s.eol, end - p)
        if found == NULL:
            break
        n = found - p
        total = s.consumed + s.carry.n + n + 1
        if s.skip_line:
            s.skip_line = False
        elif s.carry.n:
            col_append(&s.carry, p, n)
            take_line(s, s.carry.data, s.carry.n, total, found + 1, True)
            s.carry.n = 0
        else:
            take_line(s, p, n, total, found + 1, False)
        s.consumed = 0
        s.inside_line = False
        s.at += total
        s.line += 1
        p = found + 1
    if p < end:
        keep_rest(s, p, end - p)
    if s.in_record:
        hash_span(s, end, True)
    return 0


cdef int keep_rest(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """The beginning of a line whose end is not here yet."""
    if s.skip_line:
        s.consumed += n
        return 0
    if s.inside_line:
        origin_line(s, p, n, False, True)
        return line_consumed(s, n)
    col_append(&s.carry, p, n)
    if s.carry.n > RESIDUE_LINE_LIMIT and holds_residues(s, s.carry.data):
        # A sequence written as one endless line: no need to hold it.
        origin_line(s, s.carry.data, s.carry.n, False, True)
        return line_consumed(s, s.carry.n)
    if s.carry.n > LINE_LIMIT:
        overlong_line(s, s.carry.data)
        return line_consumed(s, s.carry.n)
    return 0


cdef int line_consumed(Scan* s, size_t n) except -1 nogil:
    """The beginning of the line was dealt with; the rest is taken as residues, or dropped."""
    s.consumed += n
    s.carry.n = 0
    s.inside_line = s.inside_line and not s.bad
    s.skip_line = not s.inside_line
    return 0


cdef int overlong_line(Scan* s, const uint8_t* p) except -1 nogil:
    """A line of more than `LINE_LIMIT` bytes: the end of a record, or stray text. Only so many bytes may decide."""
    if s.in_record:
        return fail(s, b"a line of over 32 MiB", NULL, 0)
    return outside_line(s, p, LINE_LIMIT)


cdef class Scanner:
    """Turns the bytes of one flat file into record batches of RECORD_SCHEMA and SEQUENCE_SCHEMA.

    Feed buffers in order, then call :meth:`finish`. Both return the batches completed meanwhile as
    ``("records" | "sequences", RecordBatch)``. A batch of records is at most ``batch_bytes`` plus one record's
    annotation, a batch of sequences at most ``sequence_batch_bytes`` plus one chunk.
    """

    cdef Scan s
    cdef list out
    cdef Spares spares
    cdef bytes head
    cdef object names
    cdef readonly list quarantine         # (offset, bytes, ordinal, line, accession, reason, raw text)
    cdef readonly list preamble           # lines before the first LOCUS
    cdef readonly list orphans            # ordinals of quarantined records some of whose chunks have left

    def __cinit__(self, *, source_file, collection="", release="", Py_ssize_t batch_bytes=4 << 20,
                  Py_ssize_t chunk_bytes=1 << 20, Py_ssize_t sequence_batch_bytes=2 << 20,
                  Py_ssize_t annotation_limit=128 << 20):
        cdef int i
        memset(&self.s, 0, sizeof(Scan))
        self.names = (collection.encode(), release.encode(), source_file.encode("utf-8", "replace"))
        self.s.collection = self.names[0]
        self.s.collection_n = len(self.names[0])
        self.s.release = self.names[1]
        self.s.release_n = len(self.names[1])
        self.s.source_file = self.names[2]
        self.s.source_file_n = len(self.names[2])
        self.s.batch_bytes = batch_bytes
        self.s.chunk_bytes = max(chunk_bytes, 64)
        self.s.sequence_batch_bytes = sequence_batch_bytes
        self.s.annotation_limit = annotation_limit
        self.s.owner = <void*> self
        self.s.line = 1
        for i, (_, width) in enumerate(_WIDTHS):
            self.s.cols[i].width = width
        self.out = []
        self.spares = Spares()
        self.head = b""
        self.quarantine = []
        self.preamble = []
        self.orphans = []

    def __dealloc__(self):
        cdef int i
        for i in range(ALL_COLS):
            col_free(&self.s.cols[i])
        for c in range(1):
            col_free(&self.s.carry)
            col_free(&self.s.raw)
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
        self.preamble.append(bytes(p[:min(n, <size_t> 200)]).decode("latin-1"))
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
        detail = (<bytes> s.detail).decode("latin-1").strip() if s.detail[0] else ""
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
        cdef Col* cols = self.s.cols
        arrays = [take_array(cols, &at, field.type, self.spares, 0) for field in RECORD_SCHEMA]
        self.out.append(("records", pa.RecordBatch.from_arrays(arrays, schema=RECORD_SCHEMA)))
        self.s.pending_bytes = 0
        return 0

    cdef int _emit_sequences(self) except -1:
        cdef int at = 0
        cdef Col* cols = self.s.cols + RECORD_COLS
        arrays = [take_array(cols, &at, field.type, self.spares, RECORD_COLS) for field in SEQUENCE_SCHEMA]
        self.out.append(("sequences", pa.RecordBatch.from_arrays(arrays, schema=SEQUENCE_SCHEMA)))
        return 0


cdef int watch_annotation(Scan* s) except -1 nogil:
    """Give up a record whose annotation outgrows the limit: memory stays bounded whatever a file holds.

    Encoding a batch takes about three times its bytes, so 128 MiB stay under 512 MB. A qualifier's value may have a
    quarter of the limit, since it is held twice while it goes into its column; a location a sixteenth, since its spans
    take many times its bytes.
    """
    cdef size_t held = s.accession.n + s.version.n + s.keywords.n + s.organism.n + s.reference.n
    cdef int i
    if not s.in_record or s.bad:
        return 0
    for i in range(RECORD_COLS):
        held += s.cols[i].n - s.cols[i].mark_n + 5 * (s.cols[i].rows - s.cols[i].mark_rows)  # an offset, and whether null
    if held > s.annotation_limit or s.value.n > s.annotation_limit // 4 or s.location.n > s.annotation_limit // 16:
        fail(s, b"the record's annotation is larger than the reader's limit", NULL, 0)
    return 0


cdef int finish_scan(Scan* s) except -1 nogil:
    cdef size_t total = s.carry.n + s.consumed
    if s.carry.n:
        s.plain = text_is_plain(s.carry.data, s.carry.n)
        s.span = s.carry.data + s.carry.n
        take_line(s, s.carry.data, s.carry.n, total, s.span, True)
    s.at += total
    if total:
        s.line += 1
    s.carry.n = 0
    s.consumed = 0
    if s.in_record:
        fail(s, b"the file ends before //", NULL, 0)
        s.tail_n = 0
        end_record(s, s.at)
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
