# The loop over lines: where each begins and ends, what is carried from buffer to buffer, and which part of the record a
# line is for. What the lines of a part mean is in that part's file.

cdef inline bint is_locus(const uint8_t* p, size_t n) noexcept nogil:
    return n >= 5 and p[0] == 76 and memcmp(p, b"LOCUS", 5) == 0


cdef inline size_t byte_order_mark(const uint8_t* p, size_t n) noexcept nogil:
    """Bytes of the mark that Windows puts before a text, and that stays where files are strung together."""
    return 3 if n >= 3 and p[0] == 0xEF and p[1] == 0xBB and p[2] == 0xBF else 0


cdef inline bint is_end(const uint8_t* p, size_t n) noexcept nogil:
    """`//` and nothing else but blanks and what DOS ended files with."""
    cdef size_t i
    if n < 2 or p[0] != 47 or p[1] != 47:
        return False
    for i in range(2, n):
        if not is_blank(p[i]) and p[i] != 26 and p[i] != 12:
            return False
    return True


cdef int outside_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """A line that belongs to no record: blank, the division file's header, or stray text."""
    cdef size_t mark = byte_order_mark(p, n)
    p += mark
    n = rtrim(p, n - mark)
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


cdef int take_line(
    Scan* s, const uint8_t* p, size_t n, size_t total, const uint8_t* after, bint carried
) except -1 nogil:
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
    s.mark = byte_order_mark(p, n)
    if is_locus(p + s.mark, n - s.mark):
        return locus_found(s, p + s.mark, n - s.mark, line_n - s.mark, total, after, carried)
    if not s.in_record:
        return outside_line(s, p, n)
    if is_end(p, n):
        s.tail = s.span
        s.tail_n = after - s.span
        if not s.bad:
            take_last(s, after)
        end_record(s, s.at + <int64_t> total, after)
        s.span = after
        return 0
    if s.bad:
        return 0
    if not s.plain and n and memchr(p, 0, n) != NULL:
        return fail(s, b"binary data in the record", NULL, 0)
    if s.section == S_ORIGIN:
        return origin_line(s, p, n, True, False)
    if s.has_cr and has_byte(p, rtrim(p, n), 13):
        return inner_line_ends(s, p, n)
    if s.section == S_FEATURES:
        return feature_line(s, p, n)
    return header_line(s, p, n)


cdef int inner_line_ends(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """A line with carriage returns in it, line ends of old Macs in a pasted text: each is read as a blank."""
    cdef size_t i
    s.line_text.n = 0
    col_append(&s.line_text, p, n)
    for i in range(n):
        if p[i] == 13:
            s.line_text.data[i] = 32
    p = s.line_text.data
    if not s.cr_noted:
        s.cr_noted = True
        note(s, b"a carriage return inside a line was read as a blank: ", p + indent_of(p, n), n - indent_of(p, n))
    return feature_line(s, p, n) if s.section == S_FEATURES else header_line(s, p, n)


cdef int locus_found(
    Scan* s, const uint8_t* p, size_t n, size_t line_n, size_t total, const uint8_t* after, bint carried
) except -1 nogil:
    """A LOCUS line begins a record; one that is still open has lost its end.

    A LOCUS line without a length inside a record begins nothing: it is quarantined by itself and the record
    goes on (seen in genuine files, where such a line stands in the place of DEFINITION). So is one that a line break
    tore from an open value, when its name does not stand in column 13.
    """
    cdef Tokens t
    cdef bint in_value = s.in_record and not s.bad and s.section == S_FEATURES and s.value_state == Q_OPEN
    if s.in_record:
        locus_tokens(p, n, &t)
        if t.unit_at < 0 or t.glued or (in_value and indent_of(p + 5, n - 5) != 7):
            with gil:
                (<Scanner> s.owner)._quarantine_fragment(p - s.mark, line_n + s.mark, total)
            if in_value:
                note(s, b"a line of a value is quarantined: ", p, n)
            return 0
        fail(s, b"the next LOCUS line comes before //", NULL, 0)
        s.tail = s.span
        s.tail_n = 0 if carried else p - s.mark - s.span
        end_record(s, s.at, p)
    begin_record(s, p, n)
    if not s.bad and not s.plain and memchr(p, 0, n) != NULL:
        fail(s, b"binary data in the record", NULL, 0)
    s.span = p
    if carried:
        s.span = p
        hash_span(s, s.carry.data + s.carry.n)
        s.span = after - 1        # the line's end is the first byte of this buffer that is not hashed
    return 0


cdef int scan(Scan* s, const uint8_t* p, size_t size) except -1 nogil:
    """Take a buffer; what is left of its last line waits in `carry`."""
    cdef const uint8_t* end = p + size
    cdef const uint8_t* found
    cdef size_t n, total
    s.unhashed.text = NULL            # set only where an error broke off the buffer before
    s.plain = text_is_clean(p, size) and (s.carry.n == 0 or text_is_clean(s.carry.data, s.carry.n))
    s.has_cr = not s.plain
    if not s.plain:
        s.plain = text_is_plain(p, size) and (s.carry.n == 0 or text_is_plain(s.carry.data, s.carry.n))
    s.plain_record = s.plain_record and s.plain
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
    return hash_rest(s, end)


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
        # A row also takes an offset and whether it is null.
        held += s.cols[i].n - s.cols[i].mark_n + 5 * (s.cols[i].rows - s.cols[i].mark_rows)
    if held > s.annotation_limit or s.value.n > s.annotation_limit // 4 or s.location.n > s.annotation_limit // 16:
        fail(s, b"the record's annotation is larger than the reader's limit", NULL, 0)
    return 0


cdef int finish_scan(Scan* s) except -1 nogil:
    cdef size_t total = s.carry.n + s.consumed
    s.unhashed.text = NULL
    if s.carry.n:
        s.plain = text_is_plain(s.carry.data, s.carry.n)
        s.has_cr = has_byte(s.carry.data, s.carry.n, 13)
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
        end_record(s, s.at, s.span)
    return 0
