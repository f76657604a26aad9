# The feature table: keys, locations, qualifiers, and the un-wrapping of their values (gbrel §3.4.12, FT §3-4).

include "spans.pxi"

cdef int feature_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """A line between FEATURES and the next keyword in column 1."""
    cdef size_t indent, text_n = n
    cdef bint begins
    n = rtrim(p, n)
    if n == 0:
        return 0
    s.line_blanks = text_n - n
    if s.line_blanks and has_byte(p + n, s.line_blanks, 9):
        s.line_blanks += 1            # a tab is not one blank
    if not is_blank(p[0]):
        return keyword_line(s, p, n)
    indent = indent_of(p, n)
    if indent < 16 and p[indent] != 47:
        if s.value_state == Q_OPEN or has_tab(p, indent):
            begins = begins_feature(p, n, indent)
        else:
            begins = not continues_location(s, p + indent, n - indent)
        if begins:
            return feature_begin(s, p + indent, n - indent)
    if not s.feature_open:
        return fail(s, b"a qualifier stands before any feature key: ", p + indent, n - indent)
    return feature_more(s, p + indent, n - indent, indent)


cdef inline bint has_tab(const uint8_t* p, size_t indent) noexcept nogil:
    return not (indent == 5 and memcmp(p, b"     ", 5) == 0) and has_byte(p, indent, 9)


cdef bint continues_location(Scan* s, const uint8_t* p, size_t n) noexcept nogil:
    """Whether a line as far left as keys is more of the open location: a part of one, and parentheses are open."""
    cdef int64_t depth = 0
    cdef size_t i
    if not s.feature_open or s.value_state != Q_NONE or word_of(p, n) != n or not begins_location(p, n):
        return False
    for i in range(s.location.n):
        depth += (s.location.data[i] == 40) - (s.location.data[i] == 41)
    return depth > 0


cdef bint begins_feature(const uint8_t* p, size_t n, size_t indent) noexcept nogil:
    """Whether a line is a key and its location and nothing else, where other text might stand as well.

    The key begins in column 6, the location in column 22; where tabs indent, the key stands before column 17.
    """
    cdef size_t at = indent + word_of(p + indent, n - indent)
    if has_byte(p, indent, 9):
        if column_of(p, indent) >= 16:
            return False
    elif indent != 5:
        return False
    while at < n and is_blank(p[at]):
        at += 1
    if at == n or not begins_location(p + at, n - at):
        return False
    return word_of(p + at, n - at) == n - at and p[n - 1] != 34 and (at == 21 or has_byte(p, at, 9))


cdef int feature_begin(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """`key   location`: at column 6 and 22 in NCBI's files, wherever the blanks are elsewhere."""
    cdef size_t end = 0
    close_feature(s)
    while end < n and not is_blank(p[end]):
        end += 1
    if n > 16 and begins_location(p + 16, n - 16) and (end == n or not begins_location_after(p, end, n)):
        # A key that fills columns 6-21 leaves no blank before its location; one of two words is no key of the
        # feature table, but its location stands at column 22 all the same.
        end = rtrim(p, 16)
    elif end < n and not begins_location_after(p, end, n):
        end = before_last_word(p, n, end)
    if is_digit(p[0]) and are_digits(p, end):
        return fail(s, b"a line of the sequence stands before ORIGIN: ", p, n)
    s.feature_open = True
    s.value_state = Q_NONE
    s.location.n = s.key.n = 0
    append_text(s, &s.cols[C_FEATURE_KEY], p, end)
    text_end(&s.cols[C_FEATURE_KEY])
    if not s.plain and not text_is_plain(p, end):
        note(s, b"a feature key is not plain text: ", p, n)
    s.feature_is_source = same(p, end, b"source")
    s.sources += s.feature_is_source
    return append_joined(s, &s.location, p + end, n - end)


cdef bint are_digits(const uint8_t* p, size_t n) noexcept nogil:
    cdef size_t i
    for i in range(n):
        if not is_digit(p[i]):
            return False
    return True


cdef size_t before_last_word(const uint8_t* p, size_t n, size_t end) noexcept nogil:
    """Where the key ends when its location is the last word of the line wherever it stands; else `end`."""
    cdef size_t last = n
    while last and not is_blank(p[last - 1]):
        last -= 1
    return rtrim(p, last) if begins_location(p + last, n - last) else end


cdef bint begins_location_after(const uint8_t* p, size_t at, size_t n) noexcept nogil:
    """What follows the first word is a location, or nothing."""
    while at < n and is_blank(p[at]):
        at += 1
    return at == n or begins_location(p + at, n - at)


cdef bint begins_location(const uint8_t* p, size_t n) noexcept nogil:
    return (is_digit(p[0]) or p[0] == 60 or p[0] == 62 or starts(p, n, b"complement(") or starts(p, n, b"join(")
            or p[0] == 40 or ((p[0] | 32) >= 97 and begins_operator(p, n)))


cdef bint begins_operator(const uint8_t* p, size_t n) noexcept nogil:
    """An operator of locations up to its parenthesis, in either case and with blanks between."""
    cdef size_t end = 0
    cdef uint8_t first = p[0] | 32
    if first != 99 and first != 106 and first != 111 and first != 98:
        return False
    while end < n and end < 11 and ((p[end] | 32) >= 97 or p[end] == 45):
        end += 1
    if not (same_nocase(p, end, b"complement") or same_nocase(p, end, b"join") or same_nocase(p, end, b"order")
            or same_nocase(p, end, b"bond") or same_nocase(p, end, b"one-of")):
        return False
    while end < n and is_blank(p[end]):
        end += 1
    return end < n and p[end] == 40


cdef inline bint looks_like_qualifier(const uint8_t* p, size_t n) noexcept nogil:
    """`/name` up to `=` or the end of the line."""
    cdef size_t i = 1
    if n < 2 or p[0] != 47:
        return False
    while i < n and is_word(p[i]):
        i += 1
    return i > 1 and (i == n or p[i] == 61)


cdef bint looks_like_odd_qualifier(const uint8_t* p, size_t n) noexcept nogil:
    """`/any name="text`, as it stands behind a closed value: names of other writers hold blanks, slashes, hyphens.

    Without `=` a name and the rest of a value look alike, unless the line goes on to close the value.
    """
    cdef const uint8_t* equals
    if n < 2 or p[0] != 47:
        return False
    equals = <const uint8_t*> memchr(p, 61, n)
    if equals == NULL:
        return not ends_quoted(p, n)
    n -= equals + 1 - p
    p = equals + 1
    while n and is_blank(p[0]):
        p += 1
        n -= 1
    return n == 0 or p[0] == 34 or not ends_quoted(p, n)


cdef bint opens_value(const uint8_t* p, size_t n) noexcept nogil:
    """`/name="text`: inside a value the quote would be doubled; this is the next qualifier."""
    cdef const uint8_t* equals = <const uint8_t*> memchr(p, 61, n)
    cdef size_t at, run = 0
    if equals == NULL:
        return False
    at = equals + 1 - p
    while at + run < n and p[at + run] == 34:
        run += 1
    return run & 1 and at + run < n


cdef inline size_t beyond_column(Scan* s, const uint8_t* p, size_t column) noexcept nogil:
    """Blanks that a line of a value begins with beyond the value's column; a tab is not one blank."""
    return column - s.value_column + (p[-1] == 9) if column > s.value_column else 0


cdef int feature_more(Scan* s, const uint8_t* p, size_t n, size_t column) except -1 nogil:
    """A qualifier, or the continuation of a location or value; `column` counts the bytes before it."""
    if p[0] != 47:
        if s.value_state == Q_NONE:
            return append_joined(s, &s.location, p, n)
        return value_more(s, p, n, beyond_column(s, p, column))
    if s.value_state == Q_OPEN:
        if looks_like_qualifier(p, n):
            if not opens_value(p, n):
                if word_of(p, n) == n:
                    note(s, b"a line like a qualifier stands in a value: ", p, n)
                return value_more(s, p, n, beyond_column(s, p, column))
        else:
            return value_more(s, p, n, beyond_column(s, p, column))
    elif s.value_state == Q_MAYBE_CLOSED and not looks_like_qualifier(p, n):
        if not looks_like_odd_qualifier(p, n):
            return value_more(s, p, n, beyond_column(s, p, column))
        if not has_byte(p, n, 61):
            note(s, b"taken for a qualifier without value: ", p, n)
    close_qualifier(s)
    s.value_column = column
    return qualifier_begin(s, p, n)


cdef int qualifier_begin(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    cdef uint8_t* equals = <uint8_t*> memchr(p, 61, n)
    cdef size_t at = n if equals == NULL else <size_t> (equals - p)
    cdef size_t key_n = rtrim(p + 1, at - 1)
    s.key.n = 0
    append_text(s, &s.key, p + 1, key_n)   # as UTF-8: a note may quote it when another buffer is at hand
    text_put(&s.cols[C_QUALIFIER_KEY], s.key.data, s.key.n)
    s.value.n = 0
    s.value_state = Q_PLAIN
    s.value_joined = key_n > 6 and (p[1] == 116 or p[1] == 114 or p[1] == 99) and (
        same(p + 1, key_n, b"translation") or same(p + 1, key_n, b"rpt_unit_seq") or same(p + 1, key_n, b"replace")
        or same(p + 1, key_n, b"transcription") or same(p + 1, key_n, b"coded_by"))
    if equals == NULL:
        return 0
    at += 1
    at += indent_of(p + at, n - at)
    col_byte(&s.value, 61)        # the "=" tells an empty value from none
    s.value_line_at = s.value.n
    s.value_line_width = VALUE_WIDTH - min(at, <size_t> VALUE_WIDTH)
    append_text(s, &s.value, p + at, n - at)
    s.long_lines = s.long_lines or is_long(s, p, n)
    s.value_blanks = s.line_blanks
    if at < n and p[at] == 34:
        s.value_state = Q_MAYBE_CLOSED if ends_quoted(p + at + 1, n - at - 1) else Q_OPEN
        # /anticodon and /transl_except are not quoted by the feature table's rules, but by other writers
        s.value_unspaced = starts(p + at, n - at, b"\"(pos:")
    else:
        s.value_unspaced = has_byte(p + at, n - at, 40)
    return 0


cdef inline bint ends_quoted(const uint8_t* p, size_t n) noexcept nogil:
    """The line ends in an odd run of quotes: an even run is quotes inside the value, doubled."""
    cdef size_t run = 0
    while run < n and p[n - 1 - run] == 34:
        run += 1
    return run & 1


cdef int value_more(Scan* s, const uint8_t* p, size_t n, size_t blanks) except -1 nogil:
    """A further line of a value, joined as the writer broke it; `blanks` it begins with beyond the value's column."""
    cdef bint quoted = s.value_state != Q_PLAIN
    if s.value.n == 0:
        # a valueless qualifier cannot go on: /pseudo followed by text
        note(s, b"text after a qualifier without value: ", p, n)
        col_byte(&s.value, 61)
    elif quoted and s.value_state == Q_MAYBE_CLOSED and p[0] == 34:
        guess(s, G_CUT)               # a doubled quote was cut in two
    elif not s.value_joined and not s.value_unspaced and joined_by_space(
            s, s.value.data + s.value_line_at, s.value.n - s.value_line_at, s.value_line_width, p, n,
            blanks + s.value_blanks, False):
        # (pos:1..3,aa:Met,seq:atg) over several lines is one word though it is not quoted
        col_byte(&s.value, 32)
    s.value_line_at = s.value.n
    s.value_line_width = VALUE_WIDTH
    s.value_blanks = s.line_blanks
    s.value_unspaced = s.value_unspaced or (not quoted and has_byte(p, n, 40))
    append_text(s, &s.value, p, n)
    s.long_lines = s.long_lines or is_long(s, p, n)
    if quoted:
        s.value_state = Q_MAYBE_CLOSED if ends_quoted(p, n) else Q_OPEN
    return 0


cdef int close_qualifier(Scan* s) except -1 nogil:
    """Value text -> value: quotes off, doubled quotes single, blanks out where they cannot be meant."""
    cdef Col* c = &s.cols[C_QUALIFIER_VALUE]
    cdef const uint8_t* p = s.value.data
    cdef size_t n = s.value.n, at = 1, run
    cdef uint8_t* quote
    cdef bint quoted = s.value_state == Q_MAYBE_CLOSED, lone = False
    if s.value_state == Q_NONE:
        return 0
    if n == 0:
        s.value_state = Q_NONE
        return text_null(c)
    if n > 1 and p[1] == 34 and s.value_state != Q_PLAIN:
        at = 2
        if s.value_state == Q_MAYBE_CLOSED:
            n -= 1
        else:
            note(s, b"closing quote missing: /", s.key.data, s.key.n)
    s.value_state = Q_NONE
    if s.value_joined:
        lone = append_value_joined(c, p + at, n - at)
    else:
        while at < n:
            quote = <uint8_t*> memchr(p + at, 34, n - at)
            run = n - at if quote == NULL else <size_t> (quote - p) + 1 - at
            col_append(c, p + at, run)
            at += run
            if quote != NULL:
                if at < n and p[at] == 34:
                    at += 1
                else:
                    lone = True
    if quoted and lone:
        note(s, b"a quote that is not doubled stands in the value: /", s.key.data, s.key.n)
    elif not quoted and has_byte(p, n, 47) and names_qualifier(p, n):
        note(s, b"another qualifier may stand in the value: /", s.key.data, s.key.n)
    if s.feature_is_source and same(s.key.data, s.key.n, b"db_xref"):
        take_taxon(s, c.data + text_start(c), c.n - text_start(c))
    return text_end(c)


cdef bint names_qualifier(const uint8_t* p, size_t n) noexcept nogil:
    """A value without quotes goes on with ` /name`."""
    cdef const uint8_t* found = <const uint8_t*> memmem(p, n, b" /", 2)
    return found != NULL and found + 2 < p + n and is_word(found[2])


cdef int append_value_joined(Col* c, const uint8_t* p, size_t n) except -1 nogil:
    """Append a value that is one word whatever the line breaks (already UTF-8); returns whether a quote is not doubled.
    """
    cdef size_t i = 0
    cdef bint lone = False
    if not has_byte(p, n, 32) and not has_byte(p, n, 34):
        return col_append(c, p, n)
    while i < n:
        if p[i] != 32:
            col_byte(c, p[i])
        if p[i] == 34:
            if i + 1 < n and p[i + 1] == 34:
                i += 1
            else:
                lone = True
        i += 1
    return lone


cdef int take_taxon(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """`taxon:9606` of a source feature joins the record's taxa."""
    cdef int64_t taxon
    if starts(p, n, b"taxon:") and parse_int(p + 6, n - 6, &taxon):
        if s.sources == 1 and s.source_taxon < 0:
            s.source_taxon = taxon
        return i64_put(&s.cols[C_TAXON_IDS_ITEM], taxon)
    return 0


cdef int keep_taxa_once(Col* c) except -1 nogil:
    """Drop the open record's taxa that stand earlier in it too; by a table of hashes: patents may name thousands."""
    cdef int64_t* taxa = <int64_t*> c.data + c.mark_rows
    cdef size_t n = c.rows - c.mark_rows, size = 4, kept = 0, i, slot
    cdef int64_t* table
    if n < 2:
        return 0
    while size < 2 * n:
        size *= 2
    table = <int64_t*> malloc(size * sizeof(int64_t))
    if table == NULL:
        with gil:
            raise MemoryError("no memory for a record's taxa")
    memset(table, 0xff, size * sizeof(int64_t))      # -1: no taxon is negative
    for i in range(n):
        slot = (<uint64_t> taxa[i] * <uint64_t> 0x9e3779b97f4a7c15) >> 20
        slot &= size - 1
        while table[slot] != -1 and table[slot] != taxa[i]:
            slot = (slot + 1) & (size - 1)
        if table[slot] == -1:
            table[slot] = taxa[i]
            taxa[kept] = taxa[i]
            kept += 1
    free(table)
    c.rows = c.mark_rows + kept
    c.n = c.rows * sizeof(int64_t)
    return 0


cdef int close_feature(Scan* s) except -1 nogil:
    if not s.feature_open:
        return 0
    close_qualifier(s)
    s.feature_open = False
    list_end(&s.cols[C_QUALIFIERS], s.cols[C_QUALIFIER_KEY].rows)
    text_put(&s.cols[C_LOCATION], s.location.data, s.location.n)
    if not parse_location(s.location.data, s.location.n, &s.spans):
        if s.location.n:
            note(s, b"location not understood: ", s.location.data, s.location.n)
        else:
            note(s, b"a feature has no location", NULL, 0)
        s.spans.n = 0
        s.spans.op = OP_NONE
    check_spans(s)
    put_spans(s)
    return put_location(s)
