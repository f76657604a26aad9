# Structured comments: blocks of `Key :: Value` lines in COMMENT, taken out and left there as well (gbrel §3.4.15).


cdef int finish_structured_comments(Scan* s) except -1 nogil:
    """`##Name-START##`, `Key :: Value` lines, `##Name-END##`; a value's further lines are indented to its column."""
    cdef Col* c = &s.cols[C_COMMENT]
    cdef const uint8_t* p = c.data + text_start(c)
    cdef size_t n = c.n - text_start(c), at = 0, end, start
    cdef bint inside = False, item = False
    cdef uint8_t* line_end
    cdef const uint8_t* mark = NULL
    cdef size_t value_column = 0
    while at < n:
        if not inside and (mark == NULL or mark < p + at):
            mark = <const uint8_t*> memmem(p + at, n - at, b"##", 2)
            if mark == NULL:
                break
        line_end = <uint8_t*> memchr(p + at, 10, n - at)
        end = line_end - p if line_end != NULL else n
        start = at + indent_of(p + at, end - at)
        if end > start + 10 and starts(p + start, end - start, b"##") and memcmp(p + end - 8, b"-START##", 8) == 0:
            close_structured(s, inside, item)
            inside = True
            item = False
            text_put(&s.cols[C_STRUCTURED_NAME], p + start + 2, end - start - 10)
        elif (inside and end > start + 8 and starts(p + start, end - start, b"##")
                and memcmp(p + end - 6, b"-END##", 6) == 0):
            close_structured(s, inside, item)
            inside = False
            item = False
        elif inside and end > start:
            item = structured_line(s, p + at, start - at, end - at, item, &value_column)
        at = end + 1
    close_structured(s, inside, item)
    return list_end(&s.cols[C_STRUCTURED], s.cols[C_STRUCTURED_NAME].rows)


cdef bint structured_line(
    Scan* s, const uint8_t* p, size_t indent, size_t n, bint item, size_t* value_column
) except -1 nogil:
    """A line inside a block: an item, or more of the value before it; returns whether an item is open.

    What is indented as deep as the value is more of it, whatever it holds: `Bio::SeqIO`.
    """
    cdef size_t k
    if item and indent and (indent >= value_column[0] or colons_of(p, n) == n):
        col_byte(&s.cols[C_STRUCTURED_VALUE], 32)
        col_append(&s.cols[C_STRUCTURED_VALUE], p + indent, n - indent)
        return True
    k = colons_of(p, n)
    if k == n:
        note(s, b"a line of a structured comment is in the comment only: ", p + indent, n - indent)
        return item
    if item:
        text_end(&s.cols[C_STRUCTURED_VALUE])
    text_put(&s.cols[C_STRUCTURED_KEY], p + indent, rtrim(p, k) - indent)
    k += 2
    k += indent_of(p + k, n - k)
    col_append(&s.cols[C_STRUCTURED_VALUE], p + k, n - k)
    value_column[0] = k
    return True


cdef size_t colons_of(const uint8_t* p, size_t n) noexcept nogil:
    """Where the `::` between key and value stands: behind a blank and before one, or the line's end; `n` for none."""
    cdef size_t at = 1
    cdef const uint8_t* found
    while at + 1 < n:
        found = <const uint8_t*> memmem(p + at, n - at, b"::", 2)
        if found == NULL:
            return n
        at = found - p
        if is_blank(p[at - 1]) and (at + 2 == n or is_blank(p[at + 2])) and rtrim(p, at) > indent_of(p, at):
            return at
        at += 1
    return n


cdef int close_structured(Scan* s, bint inside, bint item) except -1 nogil:
    if item:
        text_end(&s.cols[C_STRUCTURED_VALUE])
    if inside:
        list_end(&s.cols[C_STRUCTURED_ITEMS], s.cols[C_STRUCTURED_KEY].rows)
    return 0
