# The header's lines: keywords and sub-keywords, and where the text behind them goes. What needs no second look goes
# straight into its column; ACCESSION, KEYWORDS, ORGANISM and the like wait in scratch columns and are taken apart in
# fields.pxi.

include "links.pxi"


cdef int header_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """A line before, between and after FEATURES and ORIGIN."""
    cdef size_t indent, end, text_n = n
    n = rtrim(p, n)
    s.line_blanks = text_n - n
    if n == 0:
        if s.field == F_COMMENT:
            append_comment(s, p, 0)
        return 0
    if not is_blank(p[0]):
        return keyword_line(s, p, n)
    indent = indent_of(p, n)
    if indent < 10 and s.features_seen and begins_feature(p, n, indent):
        # a table that something interrupted goes on
        note(s, b"the feature table was interrupted before: ", p + indent, n - indent)
        s.section = S_FEATURES
        s.field = F_NONE
        return feature_line(s, p, n)
    if indent < 10 and (s.field == F_REFERENCE or s.field == F_REF_TEXT or s.field == F_SOURCE
                        or s.field == F_ORGANISM or s.field == F_OTHER):
        end = indent + word_of(p + indent, n - indent)
        if sub_keyword(s, p + indent, end - indent):
            return field_text(s, p + end, n - end, True)
        if s.ref_open and s.field != F_SOURCE and s.field != F_ORGANISM and indent < 4 and is_capitals(
                p + indent, end - indent) and (end == n or indent_of(p + end, n - end) > 1):
            # STANDARD and others of old, and what is to come
            note(s, b"sub-keyword not known: ", p + indent, n - indent)
            return begin_other(s, p + indent, end - indent, p + end, n - end)
        if s.ref_open == 0 and (s.field == F_SOURCE or s.field == F_ORGANISM) and same(
                p + indent, end - indent, b"ORGANISM"):
            return begin_second(s, p + indent, n - indent, end - indent)
    if indent < 10 and s.field < F_REF_TEXT and is_indented_keyword(p + indent, n - indent):
        if not s.column_noted:
            s.column_noted = True
            note(s, b"a keyword is indented: ", p + indent, n - indent)
        return keyword_line(s, p + indent, n - indent)
    # COMMENT, PRIMARY and DBSOURCE keep what stands after column 12; elsewhere the indent means nothing.
    if s.field == F_COMMENT or s.field == F_PRIMARY or s.field == F_DBSOURCE or s.field == F_OTHER:
        end = 12 if indent >= 12 else indent
        return field_text(s, p + end, n - end, False)
    return field_text(s, p + indent, n - indent, False)


cdef bint sub_keyword(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """Whether the word is a sub-keyword of the open SOURCE or REFERENCE; then its field is open."""
    cdef int i
    if s.field == F_REFERENCE or s.field == F_REF_TEXT or (s.field == F_OTHER and s.ref_open):
        for i in range(SUBKEYWORD_COUNT):
            if is_named(&SUBKEYWORDS[i], p, n):
                close_other(s)
                s.field = F_REF_TEXT
                s.ref_column = SUBKEYWORDS[i].column
                name_field(s, &SUBKEYWORDS[i])
                return True
    elif (s.field == F_SOURCE or s.field == F_ORGANISM) and same(p, n, b"ORGANISM") and first_of(s, F_ORGANISM):
        s.field = F_ORGANISM
        return True
    return False


cdef inline void name_field(Scan* s, const Keyword* keyword) noexcept nogil:
    s.field_name = <const uint8_t*> keyword.name
    s.field_name_n = keyword.n


cdef bint is_capitals(const uint8_t* p, size_t n) noexcept nogil:
    """Capitals, underscores and hyphens: what keywords are made of."""
    cdef size_t i
    for i in range(n):
        if not (65 <= p[i] <= 90 or p[i] == 95 or p[i] == 45):
            return False
    return n > 0


cdef int keyword_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """A line that begins in column 1: a keyword's, or what a line break tore from a value or a comment."""
    cdef size_t end = word_of(p, n)
    cdef int i
    if s.locus_open:
        close_locus(s)
    if s.feature_open:
        if belongs_to_value(s, p, n, end):
            return text_in_column_one(s, p, n)
        if not is_keyword_line(p, n, end):
            return fail(s, b"not a line of a flat file: ", p, n)
        close_feature(s)
    elif s.field == F_COMMENT and not is_keyword_line(p, n, end):
        if not s.column_noted:
            s.column_noted = True
            note(s, b"a line of the comment begins in column 1: ", p, n)
        return append_comment(s, p, n)
    if same(p, end, b"FEATURES"):
        close_other(s)
        s.section = S_FEATURES
        s.features_seen = True
        s.field = F_NONE
        return 0
    if same(p, end, b"ORIGIN"):
        close_other(s)
        s.section = S_ORIGIN
        s.field = F_NONE
        s.origin_seen = True
        return origin_text(s, p + end, n - end)
    s.section = S_HEADER
    if s.field != F_OTHER and sub_keyword(s, p, end):
        if not s.column_noted:
            s.column_noted = True
            note(s, b"a sub-keyword begins in column 1: ", p, n)
        return field_text(s, p + end, n - end, True)
    for i in range(KEYWORD_COUNT):
        if is_named(&KEYWORDS[i], p, end):
            return begin_field(s, &KEYWORDS[i], p, n, end)
    if not is_capitals(p, end):
        return fail(s, b"not a line of a flat file: ", p, n)
    note(s, b"keyword not known: ", p, n)
    close_reference(s)
    return begin_other(s, p, end, p + end, n - end)


cdef int begin_field(Scan* s, const Keyword* keyword, const uint8_t* p, size_t n, size_t end) except -1 nogil:
    """The line of a known keyword, which is `end` bytes long."""
    close_other(s)
    if s.features_seen and F_DEFINITION <= keyword.field <= F_REFERENCE:
        note(s, b"a line of the header stands behind the feature table: ", p, n)
    if stands_once(keyword.field) and not first_of(s, keyword.field):
        return begin_second(s, p, n, end)
    s.field = keyword.field
    name_field(s, keyword)
    if s.field == F_WGS:
        first_of(s, F_WGS)
        close_wgs(s)
        s.wgs_open = 1
        s.wgs_key.n = 0
        col_append(&s.wgs_key, p, end)
    elif s.field == F_REFERENCE:
        close_reference(s)
        s.ref_open = 1
    elif s.field == F_OTHER:
        close_reference(s)
        if starts(p, n, b"BASE COUNT"):
            end = 10
        return begin_other(s, p, end, p + end, n - end)
    return field_text(s, p + end, n - end, True)


cdef bint is_keyword_line(const uint8_t* p, size_t n, size_t end) noexcept nogil:
    """A keyword as it stands in files: alone, or with its text at column 13, or at least two blanks before it."""
    cdef size_t blanks = indent_of(p + end, n - end)
    if not is_capitals(p, end):
        return False
    if end == n or end + blanks == 12 or blanks > 1:
        return True
    return starts(p, n, b"FEATURES Location") or starts(p, n, b"BASE COUNT ") or p[end] == 9


cdef bint belongs_to_value(Scan* s, const uint8_t* p, size_t n, size_t end) noexcept nogil:
    """Whether a line that begins in column 1 is text of the feature table's open value.

    A value that is open ends at its quote, not before; only what always stands behind the table says that the quote was
    forgotten. Where the last line ended in a quote, the line must not look like one of a keyword, and close the value.
    """
    if s.value_state == Q_OPEN:
        return not (is_keyword_line(p, n, end) and not ends_quoted(p, n) and (
            same(p, end, b"ORIGIN") or same(p, end, b"CONTIG") or same(p, end, b"FEATURES")
            or starts(p, n, b"BASE COUNT ") or starts(p, n, b"WGS") or same(p, end, b"TSA") or same(p, end, b"TLS")))
    return s.value_state == Q_MAYBE_CLOSED and ends_quoted(p, n) and not is_keyword_line(p, n, end)


cdef int text_in_column_one(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    note(s, b"a line of a value begins in column 1: ", p, n)
    return value_more(s, p, n, 0)


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
        s.periods = first and same(p, n, b".")
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
    if s.other_open and s.field == F_OTHER:
        return append_line(s, &s.cols[C_OTHER_VALUE], p, n)
    if s.field == F_NONE and n:
        if s.locus_open:
            col_byte(&s.locus, 32)    # the LOCUS line goes on
            return append_text(s, &s.locus, p, n)
        put_other(s, b"", p, n)
        return note(s, b"line not understood: ", p, n)
    return 0


cdef int append_scratch(Scan* s, Col* c, const uint8_t* p, size_t n, uint8_t separator) except -1 nogil:
    if c.n:
        col_byte(c, separator)
    return append_text(s, c, p, n)


cdef int append_joined(Scan* s, Col* c, const uint8_t* p, size_t n) except -1 nogil:
    """Append without white space: locations, CONTIG, /translation."""
    cdef size_t at = 0, word
    while at < n:
        at += indent_of(p + at, n - at)
        word = word_of(p + at, n - at)
        append_text(s, c, p + at, word)
        at += word
    return 0


cdef int finish_header(Scan* s) except -1 nogil:
    """Close every header column of the record."""
    cdef Col* c = &s.cols[C_DEFINITION]
    if s.locus_open:
        close_locus(s)
    close_other(s)
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
    if s.origin_seen and s.length and not s.residues and s.unit != UNIT_RC and not (
            text_open(&s.cols[C_CONTIG]) or s.fields_seen & (<uint32_t> 1 << F_WGS)):
        note(s, b"no residues stand behind ORIGIN", NULL, 0)
    text_end_or_null(&s.cols[C_CONTIG])
    close_wgs(s)
    note_guesses(s)
    list_end(&s.cols[C_OTHER_LINES], s.cols[C_OTHER_KEY].rows)
    return list_end(&s.cols[C_WGS_RANGES], s.cols[C_WGS_KEY].rows)
