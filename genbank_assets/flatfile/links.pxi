# DBLINK and PROJECT: links to other databases, one or several on a line.

cdef int dblink_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """`Type: id[, id]`; a line without a colon carries on the type before it (gbrel §3.4.8).

    An identifier has no blanks: what stands behind one, up to the next colon, is the type of further ones.
    """
    cdef size_t end, colon
    while n:
        colon = 0
        end = n
        if has_byte(p, n, 58):
            colon = <const uint8_t*> memchr(p, 58, n) - p
            s.dblink_key.n = 0
            append_text(s, &s.dblink_key, p, rtrim(p, colon))
            colon += 1
            end = next_link(p, n, colon)
        dblink_values(s, p + colon, end - colon)
        p += end
        n -= end
    return 0


cdef int dblink_values(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    cdef size_t at = 0, end
    while at < n and not s.bad:
        while at < n and (is_blank(p[at]) or p[at] == 44):
            at += 1
        end = at
        while end < n and p[end] != 44:
            end += 1
        if end > at:
            text_put(&s.cols[C_DBLINK_KEY], s.dblink_key.data, s.dblink_key.n)
            append_text(s, &s.cols[C_DBLINK_VALUE], p + at, rtrim(p + at, end - at))
            text_end(&s.cols[C_DBLINK_VALUE])
            if s.cols[C_DBLINK_KEY].n - s.cols[C_DBLINK_KEY].mark_n > s.annotation_limit:
                # One long key before many commas is written out once for each.
                return fail(s, b"the record's annotation is larger than the reader's limit", NULL, 0)
        at = end
    return 0


cdef size_t next_link(const uint8_t* p, size_t n, size_t at) noexcept nogil:
    """Where behind `at` the type of another link begins: behind a blank that no comma stands before; `n` for none."""
    cdef const uint8_t* colon = <const uint8_t*> memchr(p + at, 58, n - at) if n > at else NULL
    cdef size_t upto = 0 if colon == NULL else colon - p
    while at < upto and (is_blank(p[at]) or p[at] == 44):
        at += 1
    while at < upto:
        at += word_of(p + at, upto - at)
        if at < upto and p[at - 1] != 44:
            while at < upto and is_blank(p[at]):
                at += 1
            if p[at] != 44:
                return at if at < upto else n
        while at < upto and (is_blank(p[at]) or p[at] == 44):
            at += 1
    return n
