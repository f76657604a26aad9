# One record while it is being read: its state, how text is added to it, how it is begun, noted about and given up. What
# its lines mean is in locus.pxi, header.pxi, fields.pxi, features.pxi and residues.pxi; how it ends, in row.pxi.

cdef enum:
    # sections
    S_HEADER, S_FEATURES, S_ORIGIN
    # fields of the header, which decide where a continuation line goes
    F_NONE, F_DEFINITION, F_ACCESSION, F_VERSION, F_DBLINK, F_KEYWORDS, F_SEGMENT, F_DBSOURCE, F_SOURCE, F_ORGANISM
    F_REFERENCE, F_REF_TEXT, F_COMMENT, F_PRIMARY, F_CONTIG, F_WGS, F_OTHER
    # values of the open qualifier
    Q_NONE, Q_PLAIN, Q_OPEN, Q_MAYBE_CLOSED
    # what a line's end could not tell (joins.pxi): a full line was cut, a comma or hyphen ends it, it ends where no
    # known writer ends lines, it ends between words, a sentence ends it, several blanks do; and bytes in no known
    # encoding
    G_CUT = 0, G_HYPHEN = 1, G_ODD = 2, G_WORD = 3, G_LATIN_1 = 4, G_SENTENCE = 5, G_BLANKS = 6
    GUESS_KINDS = 7, GUESS_NAME = 40
    MAX_NOTES = 50
    ACCESSION_LIMIT = 200         # real ones have at most 20 characters
    UNIT_BP = 0, UNIT_AA = 1, UNIT_RC = 2

cdef struct Breaks:
    int64_t between_words, odd    # lines that end as late as the next word allows, and lines that do not
    size_t least_column, last_column    # between which the former end
    int64_t in_last, before_last  # how many of them end in the last column, and in the one before

cdef struct Unhashed:             # a finished record whose text is not hashed to its end (digests.pxi)
    sha256_t hash
    const uint8_t* text           # what is left to hash; NULL where there is no such record
    size_t n
    size_t at                     # where its digest goes in the column

cdef struct Scan:
    Col cols[ALL_COLS]
    # input
    uint8_t eol
    Col carry                     # the part of a line that the last buffer ended in
    Col line_text                 # a line whose lone carriage returns were made blanks
    bint has_cr                   # a carriage return may be in this buffer
    size_t mark                   # bytes of a byte order mark before the current line's LOCUS
    int64_t at                    # offset of the current line in the uncompressed stream
    int64_t line                  # 1-based number of the current line
    bint plain                    # no NUL and no byte over 126 in this buffer
    bint plain_record             # nor in those that the record began in
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
    int64_t guesses[GUESS_KINDS]
    uint8_t guess_names[GUESS_KINDS][GUESS_NAME]
    size_t guess_name_n[GUESS_KINDS]
    Breaks header_breaks, value_breaks
    bint breaks_of_ncbi           # a line ended where Biopython's writer would not have ended it
    int64_t full_lines            # that end in column 80, as every seventh line of Biopython's writer does
    bint long_lines               # a line of a value goes beyond the last column of known writers that wrap
    bint origin_padded            # ORIGIN stands with the blanks that NCBI's writer puts behind it
    bint periods                  # ACCESSION is a lone period: the writer's word for nothing
    bint features_seen            # a FEATURES line was
    bint origin_seen              # an ORIGIN line was
    bint coordinate_noted         # a sequence line's number was not its place
    uint32_t fields_seen          # bits of the fields that the record has
    bint cr_noted, column_noted   # a note about each is made once
    Col locus, name, accession, version, keywords, organism, reference, dblink_key, wgs_key
    const uint8_t* field_name     # the keyword of the open field
    size_t field_name_n
    int locus_open, wgs_open, ref_open, other_open
    int sources                   # source features so far
    int64_t source_taxon          # taxon of the first of them; -1 where it has none
    size_t comment_blanks         # empty lines before the first line of COMMENT that is not
    int ref_column
    Col* spaced                   # the column that took the last line of running text
    size_t spaced_at              # where that line begins in it
    # the feature
    bint feature_open
    Col location, key, value
    int value_state
    bint value_joined             # white space never belongs into this value
    bint value_unspaced           # nor at the ends of this one's lines: an unquoted one with a parenthesis
    size_t value_line_at          # where the last physical line of the value begins in it
    size_t value_line_width       # what that line had room for
    size_t value_blanks           # blanks that line ended in
    size_t value_column           # the column of the qualifier's slash
    size_t line_blanks            # blanks the current line ends in
    bint feature_is_source
    Location spans
    # limits and totals
    size_t batch_bytes, chunk_bytes, sequence_batch_bytes, annotation_limit
    size_t pending_bytes          # bytes in the record columns of complete records
    int64_t loci, records, quarantined, fragments, total_residues, with_sequence, features
    int64_t stray_lines, stray_line, stray_at
    uint8_t sequence_xor[32]
    uint8_t record_xor[32]
    Unhashed unhashed
    const uint8_t* collection
    size_t collection_n
    const uint8_t* partition
    size_t partition_n
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
    guess(s, G_LATIN_1)
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
    if text_open(c) and (c != s.spaced or joined_by_space(
            s, c.data + s.spaced_at, c.n - s.spaced_at, HEADER_WIDTH, p, n, 0, True)):
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
    s.record_at = s.at + <int64_t> s.mark
    s.record_line = s.line
    for i in range(RECORD_COLS, ALL_COLS):
        col_mark(&s.cols[i])          # those of the record's columns are where the last row ended
    s.chunks_emitted = False
    sha256_init(&s.record_hash)
    sha256_init(&s.sequence_hash)
    s.raw.n = 0
    s.residues = 0
    s.hashed = s.cols[C_RESIDUES].n
    s.chunk = 0
    s.gc = s.acgt = 0
    s.notes = 0
    s.plain_record = s.plain
    s.wgs_open = s.ref_open = s.other_open = 0
    s.locus_open = 1
    s.spaced = NULL
    memset(s.guesses, 0, sizeof(s.guesses))
    memset(&s.header_breaks, 0, sizeof(Breaks))
    memset(&s.value_breaks, 0, sizeof(Breaks))
    s.breaks_of_ncbi = s.long_lines = s.origin_padded = s.periods = False
    s.full_lines = 0
    s.fields_seen = 0
    s.origin_seen = s.coordinate_noted = False
    s.features_seen = s.cr_noted = s.column_noted = False
    s.sources = 0
    s.source_taxon = -1
    s.field_name_n = 0
    s.comment_blanks = 0
    s.feature_open = False
    s.value_state = Q_NONE
    s.circular = False
    s.locus.n = s.name.n = s.accession.n = s.version.n = s.keywords.n = s.organism.n = s.reference.n = 0
    s.dblink_key.n = s.wgs_key.n = s.location.n = s.key.n = s.value.n = 0
    return locus_line(s, p, n)
