# The keywords and sub-keywords of the header, the field each begins, and which of them stand once in a record.


cdef struct Keyword:
    const char* name
    int field
    int column
    size_t n                      # its length

cdef enum:
    KEYWORD_COUNT = 30, SUBKEYWORD_COUNT = 7

cdef Keyword KEYWORDS[KEYWORD_COUNT]
KEYWORDS[0] = Keyword(b"DEFINITION", F_DEFINITION, 0, 0)
KEYWORDS[1] = Keyword(b"ACCESSION", F_ACCESSION, 0, 0)
KEYWORDS[2] = Keyword(b"VERSION", F_VERSION, 0, 0)
KEYWORDS[3] = Keyword(b"DBLINK", F_DBLINK, 0, 0)
KEYWORDS[4] = Keyword(b"PROJECT", F_DBLINK, 0, 0)
KEYWORDS[5] = Keyword(b"KEYWORDS", F_KEYWORDS, 0, 0)
KEYWORDS[6] = Keyword(b"SEGMENT", F_SEGMENT, 0, 0)
KEYWORDS[7] = Keyword(b"DBSOURCE", F_DBSOURCE, 0, 0)
KEYWORDS[8] = Keyword(b"SOURCE", F_SOURCE, 0, 0)
KEYWORDS[9] = Keyword(b"REFERENCE", F_REFERENCE, 0, 0)
KEYWORDS[10] = Keyword(b"COMMENT", F_COMMENT, 0, 0)
KEYWORDS[11] = Keyword(b"PRIMARY", F_PRIMARY, 0, 0)
KEYWORDS[12] = Keyword(b"CONTIG", F_CONTIG, 0, 0)
KEYWORDS[13] = Keyword(b"WGS", F_WGS, 0, 0)
KEYWORDS[14] = Keyword(b"WGS_SCAFLD", F_WGS, 0, 0)
KEYWORDS[15] = Keyword(b"WGS_CONTIG", F_WGS, 0, 0)
KEYWORDS[16] = Keyword(b"TSA", F_WGS, 0, 0)
KEYWORDS[17] = Keyword(b"TLS", F_WGS, 0, 0)
KEYWORDS[18] = Keyword(b"NID", F_OTHER, 0, 0)            # retired 1999
KEYWORDS[19] = Keyword(b"PID", F_OTHER, 0, 0)
KEYWORDS[20] = Keyword(b"MEDLINE", F_OTHER, 0, 0)        # retired 2005 at this level
KEYWORDS[21] = Keyword(b"BASE", F_OTHER, 0, 0)           # BASE COUNT, retired 2003; DDBJ still writes it
KEYWORDS[22] = Keyword(b"DATE", F_OTHER, 0, 0)
KEYWORDS[23] = Keyword(b"TSA_SCAFLD", F_WGS, 0, 0)
KEYWORDS[24] = Keyword(b"TLS_SCAFLD", F_WGS, 0, 0)
KEYWORDS[25] = Keyword(b"SCAFLD", F_WGS, 0, 0)
KEYWORDS[26] = Keyword(b"GI", F_OTHER, 0, 0)
KEYWORDS[27] = Keyword(b"UNIMARK", F_OTHER, 0, 0)        # of the printed editions before 1990
KEYWORDS[28] = Keyword(b"SITES", F_OTHER, 0, 0)
KEYWORDS[29] = Keyword(b"MGA", F_OTHER, 0, 0)            # DDBJ's mass annotation of short tags

cdef Keyword SUBKEYWORDS[SUBKEYWORD_COUNT]
SUBKEYWORDS[0] = Keyword(b"AUTHORS", F_REF_TEXT, C_REF_AUTHORS, 0)
SUBKEYWORDS[1] = Keyword(b"CONSRTM", F_REF_TEXT, C_REF_CONSORTIUM, 0)
SUBKEYWORDS[2] = Keyword(b"TITLE", F_REF_TEXT, C_REF_TITLE, 0)
SUBKEYWORDS[3] = Keyword(b"JOURNAL", F_REF_TEXT, C_REF_JOURNAL, 0)
SUBKEYWORDS[4] = Keyword(b"MEDLINE", F_REF_TEXT, C_REF_MEDLINE, 0)
SUBKEYWORDS[5] = Keyword(b"PUBMED", F_REF_TEXT, C_REF_PUBMED, 0)
SUBKEYWORDS[6] = Keyword(b"REMARK", F_REF_TEXT, C_REF_REMARK, 0)


cdef void measure_keywords() noexcept:
    cdef int i
    for i in range(KEYWORD_COUNT):
        KEYWORDS[i].n = strlen(KEYWORDS[i].name)
    for i in range(SUBKEYWORD_COUNT):
        SUBKEYWORDS[i].n = strlen(SUBKEYWORDS[i].name)


measure_keywords()


cdef inline bint is_named(const Keyword* keyword, const uint8_t* p, size_t n) noexcept nogil:
    return n == keyword.n and p[0] == <uint8_t> keyword.name[0] and memcmp(p, keyword.name, n) == 0


cdef bint first_of(Scan* s, int field) noexcept nogil:
    """Whether the record had no field of this kind yet; it has now."""
    cdef uint32_t bit = <uint32_t> 1 << field
    cdef bint first = not s.fields_seen & bit
    s.fields_seen |= bit
    return first


cdef bint stands_once(int field) noexcept nogil:
    return field != F_DBLINK and (F_DEFINITION <= field <= F_SOURCE or field == F_PRIMARY or field == F_CONTIG)


cdef int begin_second(Scan* s, const uint8_t* p, size_t n, size_t end) except -1 nogil:
    """A keyword that stands once in a record stands here again: the first one's text counts."""
    note(s, b"a keyword stands twice: ", p, n)
    close_reference(s)
    return begin_other(s, p, end, p + end, n - end)


cdef bint is_indented_keyword(const uint8_t* p, size_t n) noexcept nogil:
    """A keyword of column 1 behind a few blanks, with its text at least two blanks further on, or without text."""
    cdef size_t end = word_of(p, n)
    cdef int i
    if end < 6 or not (end == n or indent_of(p + end, n - end) > 1):
        return False
    for i in range(KEYWORD_COUNT):
        if KEYWORDS[i].field < F_WGS and is_named(&KEYWORDS[i], p, end):
            return True
    return same(p, end, b"FEATURES") or same(p, end, b"ORIGIN")
