# One record while it is being read: its state, its life from LOCUS to //, and the header fields between.
# Text that needs no second look goes straight into its column; ACCESSION, KEYWORDS, ORGANISM and the like wait in
# scratch columns until the field is complete. The feature table is in features.pxi.

cdef enum:
    # sections
    S_HEADER, S_FEATURES, S_ORIGIN
    # fields of the header, which decide where a continuation line goes
    F_NONE, F_DEFINITION, F_ACCESSION, F_VERSION, F_DBLINK, F_KEYWORDS, F_SEGMENT, F_DBSOURCE, F_SOURCE, F_ORGANISM
    F_REFERENCE, F_REF_TEXT, F_COMMENT, F_PRIMARY, F_CONTIG, F_WGS, F_IGNORED
    # values of the open qualifier
    Q_NONE, Q_PLAIN, Q_OPEN, Q_MAYBE_CLOSED
    MAX_NOTES = 50
    ACCESSION_LIMIT = 200         # real ones have at most 20 characters
    UNIT_BP = 0, UNIT_AA = 1, UNIT_RC = 2

cdef struct Scan:
    Col cols[ALL_COLS]
    # input
    uint8_t eol
    Col carry                     # the part of a line that the last buffer ended in
    int64_t at                    # offset of the current line in the uncompressed stream
    int64_t line                  # 1-based number of the current line
    bint plain                    # no NUL and no byte over 126 in this buffer
    bint inside_line              # the line's beginning was already taken as residues
    bint skip_line                # the rest of an overlong line is dropped
    # the record
    bint in_record, bad
    int section, field
    int64_t ordinal, record_at, record_line, bad_line
    const char* reason
    char detail[160]
    const uint8_t* tail           # the record's last bytes in this buffer, for quarantine
    size_t tail_n
    size_t consumed               # bytes of the current line that were taken before this buffer
    int preamble_lines
    const uint8_t* span           # first byte of the record in this buffer that is not hashed yet
    sha256_t record_hash, sequence_hash
    Col raw                       # first bytes of the record, for quarantine
    int64_t length
    int unit
    bint circular
    int64_t residues              # seen so far
    size_t hashed                 # position in the open chunk up to which residues are hashed
    int32_t chunk
    bint chunks_emitted           # some of this record's chunks have left
    uint64_t gc, acgt
    int notes
    Col name, accession, version, keywords, organism, reference, dblink_key, wgs_key
    int wgs_open, ref_open
    size_t comment_blanks         # empty lines before the first line of COMMENT that is not
    int ref_column
    Col* spaced                   # the column that took the last line of running text
    size_t spaced_at              # where that line begins in it
    # the feature
    bint feature_open
    Col location, key, value
    int value_state
    bint value_joined             # white space never belongs into this value
    bint value_has_parenthesis    # an unquoted value does
    size_t value_line_at          # where the last physical line of the value begins in it
    size_t value_line_width       # what that line had room for
    bint feature_is_source
    Location spans
    # limits and totals
    size_t batch_bytes, chunk_bytes, sequence_batch_bytes, annotation_limit
    size_t pending_bytes          # bytes in the record columns of complete records
    int64_t loci, records, quarantined, fragments, total_residues, with_sequence, features
    int64_t stray_lines, stray_line, stray_at
    uint8_t sequence_xor[32]
    uint8_t record_xor[32]
    const uint8_t* collection
    size_t collection_n
    const uint8_t* release
    size_t release_n
    const uint8_t* source_file
    size_t source_file_n
    void* owner                   # the Scanner, for the few steps that need Python


cdef int append_text(Scan* s, Col* c, const uint8_t* p, size_t n) except -1 nogil:
    """Append text as UTF-8: as it is where it is UTF-8 already, else read as Latin-1."""
    cdef size_t i
    if s.plain or text_is_utf8(p, n):
        return col_append(c, p, n)
    col_room(c, 2 * n)
    for i in range(n):
        if p[i] < 128:
            c.data[c.n] = p[i]
            c.n += 1
        else:
            c.data[c.n] = 0xC0 | (p[i] >> 6)
            c.data[c.n + 1] = 0x80 | (p[i] & 0x3F)
            c.n += 2
    return 0


cdef int append_spaced(Scan* s, Col* c, const uint8_t* p, size_t n) except -1 nogil:
    """Append a line of running text, joined as NCBI's writer broke it."""
    if n == 0:
        return 0
    if text_open(c) and (c != s.spaced or broke_at_space(c.data + s.spaced_at, c.n - s.spaced_at, HEADER_WIDTH, p, n)):
        col_byte(c, 32)
    s.spaced = c
    s.spaced_at = c.n
    return append_text(s, c, p, n)


cdef int append_line(Scan* s, Col* c, const uint8_t* p, size_t n) except -1 nogil:
    """Append a line of text whose line structure matters."""
    if text_open(c):
        col_byte(c, 10)
    elif n == 0:
        return 0
    return append_text(s, c, p, n)


cdef int append_comment(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """The same for COMMENT, which may begin with empty lines; a comment of empty lines is none."""
    cdef Col* c = &s.cols[C_COMMENT]
    cdef size_t i
    if text_open(c):
        return append_line(s, c, p, n)
    if n == 0:
        s.comment_blanks += 1
        return 0
    for i in range(s.comment_blanks):
        col_byte(c, 10)
    return append_text(s, c, p, n)


cdef int note(Scan* s, const char* text, const uint8_t* p, size_t n) except -1 nogil:
    """Say in the record's notes what was odd; `p` is quoted up to 60 bytes."""
    cdef Col* c = &s.cols[C_NOTE]
    s.notes += 1
    if s.notes > MAX_NOTES:
        return 0
    col_append(c, <const uint8_t*> text, strlen(text))
    if n:
        if n > 60:
            n = 60
            while n and (p[n] & 0xC0) == 0x80:
                n -= 1            # no character is cut in two
        append_text(s, c, p, n)
    return text_end(c)


cdef int fail(Scan* s, const char* reason, const uint8_t* p, size_t n) except -1 nogil:
    """Give the record up: its rows are taken back, the rest of it is only watched for its end."""
    cdef int i
    if s.bad or not s.in_record:
        return 0
    s.bad = True
    s.bad_line = s.line
    s.reason = reason
    if n > 100:
        n = 100
    if n:
        memcpy(s.detail, p, n)
    s.detail[n] = 0
    roll_back(s)
    return 0


cdef void roll_back(Scan* s) noexcept nogil:
    cdef int i
    for i in range(RECORD_COLS):
        col_rollback(&s.cols[i])
    for i in range(C_CHUNK_RECORD, ALL_COLS):
        if s.chunks_emitted:
            s.cols[i].n = s.cols[i].rows = s.cols[i].nulls = 0
        else:
            col_rollback(&s.cols[i])


cdef inline void scratch_clear(Col* c) noexcept nogil:
    c.n = 0


cdef int begin_record(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    cdef int i
    s.in_record = True
    s.bad = False
    s.section = S_HEADER
    s.field = F_NONE
    s.ordinal = s.loci
    s.loci += 1
    s.record_at = s.at
    s.record_line = s.line
    for i in range(ALL_COLS):
        col_mark(&s.cols[i])
    s.chunks_emitted = False
    sha256_init(&s.record_hash)
    sha256_init(&s.sequence_hash)
    s.raw.n = 0
    s.residues = 0
    s.hashed = s.cols[C_RESIDUES].n
    s.chunk = 0
    s.gc = s.acgt = 0
    s.notes = 0
    s.wgs_open = s.ref_open = 0
    s.comment_blanks = 0
    s.feature_open = False
    s.value_state = Q_NONE
    s.circular = False
    s.name.n = s.accession.n = s.version.n = s.keywords.n = s.organism.n = s.reference.n = 0
    s.dblink_key.n = s.wgs_key.n = s.location.n = s.key.n = s.value.n = 0
    return locus_line(s, p, n)


cdef bint is_division(const uint8_t* p, size_t n) noexcept nogil:
    cdef size_t i
    if n != 3:
        return False
    for i in range(3):
        if p[i] < 65 or p[i] > 90:
            return False
    return True


cdef bint is_molecule(const uint8_t* p, size_t n) noexcept nogil:
    """Ends in NA (DNA, RNA, mRNA, cRNA ...), whatever stands before it."""
    return n >= 2 and (p[n - 1] | 32) == 97 and (p[n - 2] | 32) == 110


cdef struct Tokens:
    const uint8_t* p[24]
    size_t n[24]
    int count
    int unit_at                   # index of bp, aa or rc behind a number; -1 where there is none
    int64_t length


cdef void locus_tokens(const uint8_t* p, size_t n, Tokens* t) noexcept nogil:
    """Split what follows LOCUS at blanks and find the length."""
    cdef size_t at = 5, start
    cdef int i
    t.count = 0
    t.unit_at = -1
    while at < n and t.count < 24:
        while at < n and is_blank(p[at]):
            at += 1
        start = at
        while at < n and not is_blank(p[at]):
            at += 1
        if at > start:
            t.p[t.count] = p + start
            t.n[t.count] = at - start
            t.count += 1
    for i in range(2, t.count):
        if (same_nocase(t.p[i], t.n[i], b"bp") or same_nocase(t.p[i], t.n[i], b"aa")
                or same_nocase(t.p[i], t.n[i], b"rc")) and parse_int(t.p[i - 1], t.n[i - 1], &t.length):
            t.unit_at = i
            return


cdef int locus_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """`LOCUS name length unit [strand-]molecule topology division date`, by tokens (gbrel §3.4.4)."""
    cdef Tokens t
    cdef int i, unit_at
    cdef const uint8_t* unit
    if n > 5 and not is_blank(p[5]):
        return fail(s, b"no blank follows LOCUS: ", p, n)
    locus_tokens(p, n, &t)
    if t.count:
        append_text(s, &s.name, t.p[0], t.n[0])
    unit_at = t.unit_at
    if unit_at < 0:
        return fail(s, b"the LOCUS line has no length in bp, aa or rc: ", p, n)
    unit = t.p[unit_at]
    s.length = t.length
    s.unit = UNIT_BP if (unit[0] | 32) == 98 else UNIT_AA if (unit[0] | 32) == 97 else UNIT_RC
    for i in range(1, unit_at - 1):
        col_byte(&s.name, 32)
        append_text(s, &s.name, t.p[i], t.n[i])
    text_put(&s.cols[C_LOCUS_NAME], s.name.data, s.name.n)
    i64_put(&s.cols[C_LENGTH], t.length)
    text_put_c(&s.cols[C_LENGTH_UNIT], b"bp" if s.unit == UNIT_BP else b"aa" if s.unit == UNIT_AA else b"rc")
    return locus_rest(s, t.p + unit_at + 1, t.n + unit_at + 1, t.count - unit_at - 1)


cdef int locus_rest(Scan* s, const uint8_t** token, size_t* token_n, int tokens) except -1 nogil:
    """What follows the unit, recognised by vocabulary because any of it may be blank."""
    cdef const uint8_t* molecule = NULL
    cdef const uint8_t* topology = NULL
    cdef const uint8_t* division = NULL
    cdef const uint8_t* strand = NULL
    cdef size_t molecule_n = 0, topology_n = 0
    cdef int32_t day = 0
    cdef bint dated = False
    cdef int i
    cdef const uint8_t* t
    cdef size_t m
    for i in range(tokens):
        t = token[i]
        m = token_n[i]
        if topology == NULL and (same_nocase(t, m, b"linear") or same_nocase(t, m, b"circular") or same_nocase(t, m, b"tandem")):
            topology = t
            topology_n = m
            s.circular = (t[0] | 32) == 99
        elif not dated and parse_date(t, m, &day):
            dated = True
        elif strand == NULL and molecule == NULL and m >= 3 and t[2] == 45 and (t[1] | 32) == 115 and (
                (t[0] | 32) == 115 or (t[0] | 32) == 100 or (t[0] | 32) == 109):
            strand = t
            if m > 3:
                molecule = t + 3
                molecule_n = m - 3
        elif molecule == NULL and division == NULL and is_molecule(t, m) and topology == NULL:
            molecule = t
            molecule_n = m
        elif division == NULL and is_division(t, m):
            division = t
        elif molecule == NULL and topology == NULL and division == NULL and not is_digit(t[0]):
            molecule = t
            molecule_n = m
        else:
            note(s, b"LOCUS line: not understood: ", t, m)
    text_or_null(s, C_DIVISION, division, 3)
    text_or_null(s, C_MOLECULE_TYPE, molecule, molecule_n)
    text_or_null(s, C_TOPOLOGY, topology, topology_n)
    if strand != NULL:
        text_put_c(&s.cols[C_STRANDEDNESS], b"ss" if (strand[0] | 32) == 115 else b"ds" if (strand[0] | 32) == 100 else b"ms")
    else:
        text_null(&s.cols[C_STRANDEDNESS])
    if dated:
        i32_put(&s.cols[C_UPDATE_DATE], day)
    else:
        fixed_null(&s.cols[C_UPDATE_DATE])
    return 0


cdef int text_or_null(Scan* s, int column, const uint8_t* p, size_t n) except -1 nogil:
    if p == NULL:
        return text_null(&s.cols[column])
    append_text(s, &s.cols[column], p, n)
    return text_end(&s.cols[column])


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
    if indent < 10 and (s.field == F_REFERENCE or s.field == F_REF_TEXT or s.field == F_SOURCE or s.field == F_ORGANISM):
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


cdef int close_wgs(Scan* s) except -1 nogil:
    if not s.wgs_open:
        return 0
    s.wgs_open = 0
    text_put(&s.cols[C_WGS_KEY], s.wgs_key.data, s.wgs_key.n)
    return text_end(&s.cols[C_WGS_VALUE])


cdef int close_reference(Scan* s) except -1 nogil:
    """REFERENCE `n  (bases a to b; c to d)`: number, what stands in parentheses, and the sub-fields."""
    cdef const uint8_t* p = s.reference.data
    cdef size_t n = s.reference.n, at = 0
    cdef int64_t number
    cdef int i
    if not s.ref_open:
        return 0
    s.ref_open = 0
    while at < n and is_digit(p[at]):
        at += 1
    if parse_int(p, at, &number) and number < 0x7fffffff:
        i32_put(&s.cols[C_REF_NUMBER], <int32_t> number)
    else:
        fixed_null(&s.cols[C_REF_NUMBER])
        at = 0
    while at < n and is_blank(p[at]):
        at += 1
    if n > at + 1 and p[at] == 40 and p[n - 1] == 41:
        at += 1
        n -= 1
    if n > at:
        text_put(&s.cols[C_REF_LOCATION], p + at, n - at)
    else:
        text_null(&s.cols[C_REF_LOCATION])
    for i in range(C_REF_AUTHORS, C_REF_REMARK + 1):
        text_end_or_null(&s.cols[i])
    s.reference.n = 0
    return 0


cdef int finish_accession(Scan* s) except -1 nogil:
    """ACCESSION and VERSION -> accession, version, accession_version, secondary accessions."""
    cdef const uint8_t* p = s.accession.data
    cdef size_t n = s.accession.n, at = 0, start, dot
    cdef const uint8_t* primary = NULL
    cdef size_t primary_n = 0, version_n = 0
    cdef int64_t number
    while at < n:
        while at < n and (is_blank(p[at]) or p[at] == 59):
            at += 1
        start = at
        while at < n and not is_blank(p[at]) and p[at] != 59:
            at += 1
        if at == start:
            break
        if same(p + start, at - start, b"REGION:"):
            note(s, b"ACCESSION names a part of a record: ", p + start, n - start)
            while at < n and is_blank(p[at]):
                at += 1
            while at < n and not is_blank(p[at]):
                at += 1           # its location; further accessions may follow
            continue
        if primary == NULL:
            primary = p + start
            primary_n = at - start
        else:
            text_put(&s.cols[C_SECONDARY_ITEM], p + start, at - start)
    while version_n < s.version.n and not is_blank(s.version.data[version_n]):
        version_n += 1
    dot = version_n
    while dot and s.version.data[dot - 1] != 46:
        dot -= 1
    if dot == 1:
        version_n = 0             # ".0": a version of nothing
    if primary == NULL and version_n:
        primary = s.version.data
        primary_n = dot - 1 if dot else version_n
    if primary == NULL or primary_n == 0:
        primary = s.name.data
        primary_n = s.name.n
    if primary_n > ACCESSION_LIMIT:
        return fail(s, b"the accession is absurdly long: ", primary, primary_n)
    if version_n > 2 * ACCESSION_LIMIT:
        return fail(s, b"the version is absurdly long: ", s.version.data, version_n)
    text_put(&s.cols[C_ACCESSION], primary, primary_n)
    if version_n:
        text_put(&s.cols[C_ACCESSION_VERSION], s.version.data, version_n)
    else:
        text_put(&s.cols[C_ACCESSION_VERSION], primary, primary_n)
    if version_n and dot and parse_int(s.version.data + dot, version_n - dot, &number) and number < 0x7fffffff:
        i32_put(&s.cols[C_VERSION], <int32_t> number)
    else:
        fixed_null(&s.cols[C_VERSION])
    return list_end(&s.cols[C_SECONDARY], s.cols[C_SECONDARY_ITEM].rows)


cdef int split_list(Scan* s, const uint8_t* p, size_t n, int items) except -1 nogil:
    """`a; b; c.` -> rows; the final period and empty entries fall away."""
    cdef size_t at = 0, start, end
    n = rtrim(p, n)
    if n and p[n - 1] == 46:
        n -= 1
    while at < n:
        start = at
        while at < n and p[at] != 59:
            at += 1
        end = start + rtrim(p + start, at - start)
        while start < end and is_blank(p[start]):
            start += 1
        if end > start:
            text_put(&s.cols[items], p + start, end - start)
        at += 1
    return 0


cdef int finish_organism(Scan* s) except -1 nogil:
    """Name lines, then the lineage: it begins at the first later line with a `;`, or that ends the field with `.`."""
    cdef uint8_t* p = s.organism.data
    cdef size_t n = s.organism.n, at = 0, end, lineage = n, i
    cdef size_t name_at, name_n
    cdef uint8_t* line_end
    cdef bint first = True
    while at < n:
        line_end = <uint8_t*> memchr(p + at, 10, n - at)
        end = line_end - p if line_end != NULL else n
        if not first and (has_byte(p + at, end - at, 59) or (end == n and end > at and p[end - 1] == 46)):
            lineage = at
            break
        first = False
        at = end + 1
    name_n = lineage - 1 if lineage < n else n
    for i in range(n):
        if p[i] == 10:
            p[i] = 32
    name_n = rtrim(p, name_n) if n else 0
    name_at = indent_of(p, name_n)
    if name_n > name_at:
        text_put(&s.cols[C_ORGANISM], p + name_at, name_n - name_at)
    else:
        text_null(&s.cols[C_ORGANISM])
    if lineage < n:
        split_list(s, p + lineage, n - lineage, C_TAXON_NAME)
    return list_end(&s.cols[C_TAXONOMY], s.cols[C_TAXON_NAME].rows)


cdef int finish_source(Scan* s) except -1 nogil:
    """SOURCE without the period that ends it (gbrel §3.4.10) unless that belongs to the organism's name: `Bacillus sp.`"""
    cdef Col* c = &s.cols[C_SOURCE]
    cdef Col* organism = &s.cols[C_ORGANISM]
    cdef const uint8_t* name = organism.data + organism.offsets[organism.rows - 1]
    cdef size_t n = c.n - text_start(c), name_n = organism.n - organism.offsets[organism.rows - 1]
    if n and c.data[c.n - 1] == 46:
        if name_n < 2 or name_n > n or memcmp(c.data + c.n - name_n, name, name_n) != 0:
            c.n -= 1
    return text_end_or_null(c)


cdef int finish_structured_comments(Scan* s) except -1 nogil:
    """`##Name-START##`, `Key :: Value` lines, `##Name-END##`; a value may run over lines."""
    cdef Col* c = &s.cols[C_COMMENT]
    cdef const uint8_t* p = c.data + text_start(c)
    cdef size_t n = c.n - text_start(c), at = 0, end, k, start
    cdef bint inside = False, item = False
    cdef uint8_t* line_end
    cdef const uint8_t* mark = NULL
    while at < n:
        if not inside and (mark == NULL or mark < p + at):
            mark = <const uint8_t*> memmem(p + at, n - at, b"##", 2)
            if mark == NULL:
                break
        line_end = <uint8_t*> memchr(p + at, 10, n - at)
        end = line_end - p if line_end != NULL else n
        start = at + indent_of(p + at, end - at)
        at = end + 1
        if end > start + 10 and starts(p + start, end - start, b"##") and memcmp(p + end - 8, b"-START##", 8) == 0:
            close_structured(s, inside, item)
            inside = True
            item = False
            text_put(&s.cols[C_STRUCTURED_NAME], p + start + 2, end - start - 10)
        elif inside and end > start + 8 and starts(p + start, end - start, b"##") and memcmp(p + end - 6, b"-END##", 6) == 0:
            close_structured(s, inside, item)
            inside = False
            item = False
        elif inside and end > start:
            line_end = <uint8_t*> memmem(p + start, end - start, b"::", 2)
            if line_end != NULL:
                if item:
                    text_end(&s.cols[C_STRUCTURED_VALUE])
                k = line_end - p
                text_put(&s.cols[C_STRUCTURED_KEY], p + start, rtrim(p + start, k - start))
                k += 2
                k += indent_of(p + k, end - k)
                col_append(&s.cols[C_STRUCTURED_VALUE], p + k, end - k)
                item = True
            elif item:
                col_byte(&s.cols[C_STRUCTURED_VALUE], 32)
                col_append(&s.cols[C_STRUCTURED_VALUE], p + start, end - start)
    close_structured(s, inside, item)
    return list_end(&s.cols[C_STRUCTURED], s.cols[C_STRUCTURED_NAME].rows)


cdef int close_structured(Scan* s, bint inside, bint item) except -1 nogil:
    if item:
        text_end(&s.cols[C_STRUCTURED_VALUE])
    if inside:
        list_end(&s.cols[C_STRUCTURED_ITEMS], s.cols[C_STRUCTURED_KEY].rows)
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
