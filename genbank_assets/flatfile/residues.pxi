# Residues: lines after ORIGIN into chunks of at most `chunk_bytes`, hashed and counted while they are in cache. The
# loops over bytes are in residues.h; what a line is, is lines.pxi's to say.

cdef int keep_raw(Scan* s, const uint8_t* upto) except -1 nogil:
    """Keep the record's text up to here for quarantine, as far as its beginning is kept."""
    if s.raw.n < RAW_LIMIT:
        col_append(&s.raw, s.span, min(<size_t> (upto - s.span), RAW_LIMIT - s.raw.n))
    return 0


cdef void count_residues(Scan* s) noexcept nogil:
    """The residues of the open chunk are hashed; count them."""
    cdef Col* c = &s.cols[C_RESIDUES]
    if s.unit == UNIT_BP:
        residues_gc(c.data + s.hashed, c.n - s.hashed, &s.gc, &s.acgt)
    s.hashed = c.n


cdef int take_both(Scan* s, const uint8_t* upto) except -1 nogil:
    """Hash the residues of the open chunk and the record's text up to here side by side."""
    cdef Col* c = &s.cols[C_RESIDUES]
    cdef size_t n = c.n - s.hashed
    sha256_update_pair(&s.record_hash, s.span, upto - s.span, &s.sequence_hash, c.data + s.hashed, n)
    keep_raw(s, upto)
    s.span = upto
    count_residues(s)
    return 0


cdef int take_last(Scan* s, const uint8_t* upto) except -1 nogil:
    """Hash a record's last residues beside its text. What is left of the text begins at `span`: see digests.pxi."""
    cdef Col* c = &s.cols[C_RESIDUES]
    cdef const uint8_t* residues = c.data + s.hashed
    cdef size_t n = upto - s.span
    cdef size_t m = c.n - s.hashed
    if m:
        sha256_side_by_side(&s.record_hash, &s.span, &n, &s.sequence_hash, &residues, &m)
        sha256_update(&s.sequence_hash, residues, m)
        count_residues(s)
    return 0


cdef int take_residues(Scan* s) except -1 nogil:
    """Hash and count the residues of the open chunk that are not yet."""
    cdef Col* c = &s.cols[C_RESIDUES]
    cdef size_t n = c.n - s.hashed
    if n:
        sha256_update(&s.sequence_hash, c.data + s.hashed, n)
        count_residues(s)
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
    cdef int64_t number
    if not s.inside_line:
        if complete:
            n = rtrim(p, n)
        if n == 0:
            return 0
        if 65 <= p[0] <= 90 and (
                starts(p, n, b"CONTIG") or starts(p, n, b"WGS") or starts(p, n, b"FEATURES")
                or starts(p, n, b"BASE COUNT") or starts(p, n, b"COMMENT") or starts(p, n, b"PRIMARY")):
            return keyword_line(s, p, n)
        at = indent_of(p, min(n, RESIDUE_LINE_LIMIT))
        digits = at
        while digits < min(n, RESIDUE_LINE_LIMIT) and is_digit(p[digits]):
            digits += 1
        if digits == at and at == 0:
            return fail(s, b"a sequence line without coordinate: ", p, n)
        if not s.coordinate_noted and digits > at and not (
                parse_int(p + at, digits - at, &number) and number == s.residues + 1):
            s.coordinate_noted = True
            note(s, b"the number before a line of the sequence is not its place: ", p + at, digits - at)
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
        if not s.coordinate_noted and coordinate(p, width) != s.residues + 1:
            break                 # likewise
        if not residues_sixty(p + width + 1, c.data + c.n):
            break
        c.n += 60
        s.residues += 60
        s.line += 1
        s.at += width + 67
        p += width + 67
        if c.n - s.hashed >= RESIDUE_STEP:
            take_both(s, p)
    return p
