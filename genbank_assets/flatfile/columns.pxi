# Growable Arrow columns in C. One Col holds what Arrow keeps in up to three buffers: values, 32-bit offsets and
# validity (a byte a row here, packed to bits when a batch is handed out). Columns are numbered in depth-first
# order of RECORD_SCHEMA and CHUNK_SCHEMA (schema/tables.py); the module checks that at import.
# Does not belong here: anything that knows what a flat file is.

cdef struct Col:
    uint8_t* data
    size_t n, cap                 # bytes of values
    int32_t* offsets              # text and lists: rows + 1 entries
    size_t offsets_cap
    uint8_t* valid
    size_t valid_cap
    size_t rows, nulls
    int width                     # bytes per value; 0 text; -1 list
    size_t mark_n, mark_rows, mark_nulls

cdef enum:
    C_ACCESSION, C_VERSION, C_ACCESSION_VERSION, C_LOCUS_NAME, C_COLLECTION, C_SECTION, C_DIVISION, C_MOLECULE_TYPE
    C_STRANDEDNESS, C_TOPOLOGY, C_UPDATE_DATE, C_LENGTH, C_LENGTH_UNIT, C_DEFINITION
    C_SECONDARY, C_SECONDARY_ITEM, C_DBLINKS, C_DBLINK_KEY, C_DBLINK_VALUE, C_KEYWORDS, C_KEYWORD
    C_SEGMENT, C_DBSOURCE, C_SOURCE, C_ORGANISM, C_TAXONOMY, C_TAXON_NAME, C_TAXON_ID, C_TAXON_IDS, C_TAXON_IDS_ITEM
    C_REFERENCES, C_REF_NUMBER, C_REF_LOCATION, C_REF_AUTHORS, C_REF_CONSORTIUM, C_REF_TITLE, C_REF_JOURNAL
    C_REF_MEDLINE, C_REF_PUBMED, C_REF_REMARK, C_COMMENT
    C_STRUCTURED, C_STRUCTURED_NAME, C_STRUCTURED_ITEMS, C_STRUCTURED_KEY, C_STRUCTURED_VALUE
    C_PRIMARY, C_CONTIG, C_WGS_RANGES, C_WGS_KEY, C_WGS_VALUE
    C_FEATURES, C_FEATURE_KEY, C_LOCATION, C_OPERATOR, C_START, C_END, C_STRAND, C_PARTIAL_START, C_PARTIAL_END
    C_SPANS_ORIGIN, C_SPANS, C_SPAN_ACCESSION, C_SPAN_START, C_SPAN_END, C_SPAN_STRAND, C_SPAN_PARTIAL_START
    C_SPAN_PARTIAL_END, C_SPAN_KIND, C_QUALIFIERS, C_QUALIFIER_KEY, C_QUALIFIER_VALUE
    C_OTHER_LINES, C_OTHER_KEY, C_OTHER_VALUE, C_NOTES, C_NOTE
    C_GC_FRACTION, C_SEQUENCE_SHA256, C_RECORD_SHA256, C_RELEASE, C_SOURCE_FILE
    C_RECORD_OFFSET, C_RECORD_BYTES, C_RECORD_ORDINAL
    RECORD_COLS
    C_CHUNK_RECORD = RECORD_COLS, C_CHUNK_ORDINAL, C_RESIDUES
    ALL_COLS


cdef int col_grow(Col* c, size_t extra) except -1 nogil:
    cdef size_t cap = c.cap * 2 if c.cap else 1024
    cdef uint8_t* p
    while cap < c.n + extra:
        cap *= 2
    p = <uint8_t*> realloc(c.data, cap)
    if p == NULL:
        with gil:
            raise MemoryError(f"no memory for a column of {cap} bytes")
    c.data = p
    c.cap = cap
    return 0


cdef inline int col_room(Col* c, size_t extra) except -1 nogil:
    """Make room for `extra` more bytes of values."""
    return col_grow(c, extra) if c.n + extra > c.cap else 0


cdef int col_grow_rows(Col* c) except -1 nogil:
    cdef size_t cap
    cdef void* p
    if c.rows + 1 > c.valid_cap:
        cap = c.valid_cap * 2 if c.valid_cap else 256
        p = realloc(c.valid, cap)
        if p == NULL:
            with gil:
                raise MemoryError("no memory for a column")
        c.valid = <uint8_t*> p
        c.valid_cap = cap
    if c.width <= 0 and c.rows + 2 > c.offsets_cap:
        cap = c.offsets_cap * 2 if c.offsets_cap else 256
        p = realloc(c.offsets, cap * sizeof(int32_t))
        if p == NULL:
            with gil:
                raise MemoryError("no memory for a column")
        c.offsets = <int32_t*> p
        if c.offsets_cap == 0:
            c.offsets[0] = 0
        c.offsets_cap = cap
    return 0


cdef inline int col_row_room(Col* c) except -1 nogil:
    """Make room for one more row in validity and offsets."""
    if c.rows + 1 > c.valid_cap or (c.width <= 0 and c.rows + 2 > c.offsets_cap):
        return col_grow_rows(c)
    return 0


cdef inline int col_append(Col* c, const uint8_t* p, size_t n) except -1 nogil:
    """Append bytes to the open text row."""
    col_room(c, n)
    memcpy(c.data + c.n, p, n)
    c.n += n
    return 0


cdef inline int col_byte(Col* c, uint8_t byte) except -1 nogil:
    col_room(c, 1)
    c.data[c.n] = byte
    c.n += 1
    return 0


cdef inline size_t text_start(Col* c) noexcept nogil:
    """Where the open text row begins in `data`."""
    return <size_t> c.offsets[c.rows] if c.offsets_cap else 0


cdef inline bint text_open(Col* c) noexcept nogil:
    """Whether the open text row has bytes yet."""
    return c.n > text_start(c)


cdef inline int text_end(Col* c) except -1 nogil:
    """Close the open text row as a value."""
    col_row_room(c)
    if c.n > <size_t> 0x7fffffff:
        with gil:
            raise OverflowError("a batch outgrew 2 GiB of text in one column")
    c.valid[c.rows] = 1
    c.rows += 1
    c.offsets[c.rows] = <int32_t> c.n
    return 0


cdef inline int text_null(Col* c) except -1 nogil:
    """Close the open text row as null; bytes appended to it are dropped."""
    col_row_room(c)
    c.n = text_start(c)
    c.valid[c.rows] = 0
    c.nulls += 1
    c.rows += 1
    c.offsets[c.rows] = <int32_t> c.n
    return 0


cdef inline int text_end_or_null(Col* c) except -1 nogil:
    """Close the open text row; null when nothing was appended."""
    if text_open(c):
        return text_end(c)
    return text_null(c)


cdef inline int text_put(Col* c, const uint8_t* p, size_t n) except -1 nogil:
    col_append(c, p, n)
    return text_end(c)


cdef inline int text_put_c(Col* c, const char* text) except -1 nogil:
    return text_put(c, <const uint8_t*> text, strlen(text))


cdef inline int list_end(Col* c, size_t child_rows) except -1 nogil:
    """Close a list row whose children end at `child_rows`."""
    col_row_room(c)
    c.valid[c.rows] = 1
    c.rows += 1
    c.offsets[c.rows] = <int32_t> child_rows
    return 0


cdef inline int fixed_put(Col* c, const void* value) except -1 nogil:
    col_row_room(c)
    col_append(c, <const uint8_t*> value, c.width)
    c.valid[c.rows] = 1
    c.rows += 1
    return 0


cdef inline int fixed_null(Col* c) except -1 nogil:
    col_row_room(c)
    col_room(c, c.width)
    memset(c.data + c.n, 0, c.width)
    c.n += c.width
    c.valid[c.rows] = 0
    c.nulls += 1
    c.rows += 1
    return 0


cdef inline int i64_put(Col* c, int64_t value) except -1 nogil:
    col_row_room(c)
    col_room(c, 8)
    (<int64_t*> (c.data + c.n))[0] = value
    return fixed_end(c, 8)


cdef inline int i32_put(Col* c, int32_t value) except -1 nogil:
    col_row_room(c)
    col_room(c, 4)
    (<int32_t*> (c.data + c.n))[0] = value
    return fixed_end(c, 4)


cdef inline int i8_put(Col* c, int8_t value) except -1 nogil:
    col_row_room(c)
    col_room(c, 1)
    c.data[c.n] = <uint8_t> value
    return fixed_end(c, 1)


cdef inline int fixed_end(Col* c, size_t width) noexcept nogil:
    """Close a row of a value that was just written."""
    c.n += width
    c.valid[c.rows] = 1
    c.rows += 1
    return 0


cdef inline void col_mark(Col* c) noexcept nogil:
    c.mark_n = c.n
    c.mark_rows = c.rows
    c.mark_nulls = c.nulls


cdef inline void col_rollback(Col* c) noexcept nogil:
    c.n = c.mark_n
    c.rows = c.mark_rows
    c.nulls = c.mark_nulls


cdef void col_free(Col* c) noexcept nogil:
    free(c.data)
    free(c.offsets)
    free(c.valid)
    memset(c, 0, sizeof(Col))
