# Text that has no column of its own: it is kept by its keyword (decision 0039).

cdef int begin_other(Scan* s, const uint8_t* key, size_t key_n, const uint8_t* p, size_t n) except -1 nogil:
    """Text that has no column of its own: keyword and text go to `other_lines`."""
    close_other(s)
    s.field = F_OTHER
    s.other_open = 1
    append_text(s, &s.cols[C_OTHER_KEY], key, key_n)
    text_end(&s.cols[C_OTHER_KEY])
    return field_text(s, p, n, True)


cdef int close_other(Scan* s) except -1 nogil:
    if not s.other_open:
        return 0
    s.other_open = 0
    return text_end(&s.cols[C_OTHER_VALUE])


cdef int put_other(Scan* s, const char* key, const uint8_t* p, size_t n) except -1 nogil:
    """A piece of a line that has no column: `key` says which line's."""
    close_other(s)
    text_put_c(&s.cols[C_OTHER_KEY], key)
    append_text(s, &s.cols[C_OTHER_VALUE], p, n)
    return text_end(&s.cols[C_OTHER_VALUE])


cdef int origin_text(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """What stands behind ORIGIN: where the sequence begins in a chromosome, in words."""
    cdef size_t indent = indent_of(p, n)
    s.origin_padded = s.line_blanks >= 6
    if indent == n:
        return 0
    return put_other(s, b"ORIGIN", p + indent, n - indent)
