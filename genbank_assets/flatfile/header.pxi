# The header's lines: keywords and sub-keywords, and where the text behind them goes. What needs no second look goes
# straight into its column; ACCESSION, KEYWORDS, ORGANISM and the like wait in scratch columns and are taken apart in
# fields.pxi.


cdef struct Keyword:
    const char* name
    int field
    int column

cdef Keyword KEYWORDS[27]
KEYWORDS[0] = Keyword(b"DEFINITION", F_DEFINITION, 0)
KEYWORDS[1] = Keyword(b"ACCESSION", F_ACCESSION, 0)
KEYWORDS[2] = Keyword(b"VERSION", F_VERSION, 0)
KEYWORDS[3] = Keyword(b"DBLINK", F_DBLINK, 0)
KEYWORDS[4] = Keyword(b"PROJECT", F_DBLINK, 0)
KEYWORDS[5] = Keyword(b"KEYWORDS", F_KEYWORDS, 0)
KEYWORDS[6] = Keyword(b"SEGMENT", F_SEGMENT, 0)
KEYWORDS[7] = Keyword(b"DBSOURCE", F_DBSOURCE, 0)
KEYWORDS[8] = Keyword(b"SOURCE", F_SOURCE, 0)
KEYWORDS[9] = Keyword(b"REFERENCE", F_REFERENCE, 0)
KEYWORDS[10] = Keyword(b"COMMENT", F_COMMENT, 0)
KEYWORDS[11] = Keyword(b"PRIMARY", F_PRIMARY, 0)
KEYWORDS[12] = Keyword(b"CONTIG", F_CONTIG, 0)
KEYWORDS[13] = Keyword(b"WGS", F_WGS, 0)
KEYWORDS[14] = Keyword(b"WGS_SCAFLD", F_WGS, 0)
KEYWORDS[15] = Keyword(b"WGS_CONTIG", F_WGS, 0)
KEYWORDS[16] = Keyword(b"TSA", F_WGS, 0)
KEYWORDS[17] = Keyword(b"TLS", F_WGS, 0)
KEYWORDS[18] = Keyword(b"NID", F_IGNORED, 0)          # retired 1999
KEYWORDS[19] = Keyword(b"PID", F_IGNORED, 0)
KEYWORDS[20] = Keyword(b"MEDLINE", F_IGNORED, 0)      # retired 2005 at this level
KEYWORDS[21] = Keyword(b"BASE", F_IGNORED, 0)         # BASE COUNT, retired 2003; DDBJ still writes it
KEYWORDS[22] = Keyword(b"DATE", F_IGNORED, 0)
KEYWORDS[23] = Keyword(b"TSA_SCAFLD", F_WGS, 0)
KEYWORDS[24] = Keyword(b"TLS_SCAFLD", F_WGS, 0)
KEYWORDS[25] = Keyword(b"SCAFLD", F_WGS, 0)
KEYWORDS[26] = Keyword(b"GI", F_IGNORED, 0)

cdef Keyword SUBKEYWORDS[7]
SUBKEYWORDS[0] = Keyword(b"AUTHORS", F_REF_TEXT, C_REF_AUTHORS)
SUBKEYWORDS[1] = Keyword(b"CONSRTM", F_REF_TEXT, C_REF_CONSORTIUM)
SUBKEYWORDS[2] = Keyword(b"TITLE", F_REF_TEXT, C_REF_TITLE)
SUBKEYWORDS[3] = Keyword(b"JOURNAL", F_REF_TEXT, C_REF_JOURNAL)
SUBKEYWORDS[4] = Keyword(b"MEDLINE", F_REF_TEXT, C_REF_MEDLINE)
SUBKEYWORDS[5] = Keyword(b"PUBMED", F_REF_TEXT, C_REF_PUBMED)
SUBKEYWORDS[6] = Keyword(b"REMARK", F_REF_TEXT, C_REF_REMARK)


cdef int header_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """A line before, between and after FEATURES and ORIGIN."""
    cdef size_t indent, end
    cdef int i
    n = rtrim(p, n)
    if n == 0:
        if s.field == F_COMMENT:
            append_comment(s, p, 0)
        return 0
    if not is_blank(p[0]):
        return keyword_line(s, p, n)
    indent = indent_of(p, n)
    if indent < 10 and (s.field == F_REFERENCE or s.field == F_REF_TEXT or s.field == F_SOURCE
                        or s.field == F_ORGANISM):
        end = indent
        while end < n and not is_blank(p[end]):
            end += 1
        if s.field == F_REFERENCE or s.field == F_REF_TEXT:
            for i in range(7):
                if same(p + indent, end - indent, SUBKEYWORDS[i].name):
                    s.field = F_REF_TEXT
                    s.ref_column = SUBKEYWORDS[i].column
                    return field_text(s, p + end, n - end, True)
        elif same(p + indent, end - indent, b"ORGANISM"):
            s.field = F_ORGANISM
            return field_text(s, p + end, n - end, True)
    # COMMENT, PRIMARY and DBSOURCE keep what stands after column 12; elsewhere the indent means nothing.
    if s.field == F_COMMENT or s.field == F_PRIMARY or s.field == F_DBSOURCE:
        end = 12 if indent >= 12 else indent
        return field_text(s, p + end, n - end, False)
    return field_text(s, p + indent, n - indent, False)


cdef int keyword_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    cdef size_t end = 0
    cdef int i
    while end < n and not is_blank(p[end]):
        end += 1
    close_feature(s)
    if same(p, end, b"FEATURES"):
        s.section = S_FEATURES
        s.field = F_NONE
        return 0
    if same(p, end, b"ORIGIN"):
        s.section = S_ORIGIN
        s.field = F_NONE
        return 0
    s.section = S_HEADER
    for i in range(27):
        if same(p, end, KEYWORDS[i].name):
            s.field = KEYWORDS[i].field
            if s.field == F_WGS:
                close_wgs(s)
                s.wgs_open = 1
                s.wgs_key.n = 0
                col_append(&s.wgs_key, p, end)
            elif s.field == F_REFERENCE:
                close_reference(s)
                s.ref_open = 1
            return field_text(s, p + end, n - end, True)
    for i in range(<int> end):
        if not (65 <= p[i] <= 90 or p[i] == 95 or p[i] == 45):
            return fail(s, b"not a line of a flat file: ", p, n)
    s.field = F_IGNORED
    return note(s, b"keyword not known: ", p, n)


cdef int field_text(Scan* s, const uint8_t* p, size_t n, bint first) except -1 nogil:
    """Text of a header field: its first line (after the keyword) or a continuation."""
    cdef size_t skip = indent_of(p, n) if first else 0
    p += skip
    n -= skip
    if s.field == F_DEFINITION:
        return append_spaced(s, &s.cols[C_DEFINITION], p, n)
    if s.field == F_REF_TEXT:
        return append_spaced(s, &s.cols[s.ref_column], p, n)
    if s.field == F_COMMENT:
        return append_comment(s, p, n)
    if s.field == F_ORGANISM:
        if first and n == 0:
            return col_byte(&s.organism, 10)      # no name: what follows is the lineage
        return append_scratch(s, &s.organism, p, n, 10)
    if s.field == F_KEYWORDS:
        return append_scratch(s, &s.keywords, p, n, 32)
    if s.field == F_ACCESSION:
        return append_scratch(s, &s.accession, p, n, 32)
    if s.field == F_VERSION:
        return append_scratch(s, &s.version, p, n, 32)
    if s.field == F_REFERENCE:
        return append_scratch(s, &s.reference, p, n, 32)
    if s.field == F_SOURCE:
        return append_spaced(s, &s.cols[C_SOURCE], p, n)
    if s.field == F_DBLINK:
        return dblink_line(s, p, n)
    return rare_field_text(s, p, n)


cdef int rare_field_text(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    if s.field == F_CONTIG:
        return append_joined(s, &s.cols[C_CONTIG], p, n)
    if s.field == F_WGS:
        return append_joined(s, &s.cols[C_WGS_VALUE], p, n)
    if s.field == F_DBSOURCE:
        return append_line(s, &s.cols[C_DBSOURCE], p, n)
    if s.field == F_PRIMARY:
        return append_line(s, &s.cols[C_PRIMARY], p, n)
    if s.field == F_SEGMENT:
        return append_spaced(s, &s.cols[C_SEGMENT], p, n)
    if s.field == F_NONE and n:
        return note(s, b"line not understood: ", p, n)
    return 0


cdef int append_scratch(Scan* s, Col* c, const uint8_t* p, size_t n, uint8_t separator) except -1 nogil:
    if c.n:
        col_byte(c, separator)
    return append_text(s, c, p, n)


cdef int append_joined(Scan* s, Col* c, const uint8_t* p, size_t n) except -1 nogil:
    """Append without white space: locations, CONTIG, /translation."""
    cdef size_t i = 0, start
    while i < n:
        while i < n and is_blank(p[i]):
            i += 1
        start = i
        while i < n and not is_blank(p[i]):
            i += 1
        append_text(s, c, p + start, i - start)
    return 0


cdef int dblink_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """`Type: id[, id]`; a line without a colon carries on the type before it (gbrel §3.4.8)."""
    cdef size_t colon = 0, at, end
    cdef uint8_t* found = <uint8_t*> memchr(p, 58, n) if n else NULL
    if found != NULL:
        colon = found - p
        s.dblink_key.n = 0
        append_text(s, &s.dblink_key, p, rtrim(p, colon))
        colon += 1
    at = colon
    while at < n:
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


cdef int finish_header(Scan* s) except -1 nogil:
    """Close every header column of the record."""
    cdef Col* c = &s.cols[C_DEFINITION]
    finish_accession(s)
    if s.bad:
        return 0
    if text_open(c) and c.data[c.n - 1] == 46:
        c.n -= 1
    text_end_or_null(c)
    list_end(&s.cols[C_DBLINKS], s.cols[C_DBLINK_KEY].rows)
    split_list(s, s.keywords.data, s.keywords.n, C_KEYWORD)
    list_end(&s.cols[C_KEYWORDS], s.cols[C_KEYWORD].rows)
    text_end_or_null(&s.cols[C_SEGMENT])
    text_end_or_null(&s.cols[C_DBSOURCE])
    finish_organism(s)
    finish_source(s)
    close_reference(s)
    list_end(&s.cols[C_REFERENCES], s.cols[C_REF_NUMBER].rows)
    finish_structured_comments(s)
    text_end_or_null(&s.cols[C_COMMENT])
    text_end_or_null(&s.cols[C_PRIMARY])
    text_end_or_null(&s.cols[C_CONTIG])
    close_wgs(s)
    return list_end(&s.cols[C_WGS_RANGES], s.cols[C_WGS_KEY].rows)
