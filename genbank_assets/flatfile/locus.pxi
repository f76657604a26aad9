# The LOCUS line: name, length and what may follow, by tokens and vocabulary, not by columns (gbrel §3.4.4). What
# follows the unit waits in `locus` until the next keyword: some writers break the line in two.


cdef bint is_division(const uint8_t* p, size_t n) noexcept nogil:
    """Three letters; they are capitals but in files of other writers."""
    cdef size_t i
    if n != 3:
        return False
    for i in range(3):
        if (p[i] | 32) < 97 or (p[i] | 32) > 122:
            return False
    return True


cdef bint is_molecule(const uint8_t* p, size_t n) noexcept nogil:
    """Ends in NA (DNA, RNA, mRNA, cRNA ...), whatever stands before it."""
    return n >= 2 and (p[n - 1] | 32) == 97 and (p[n - 2] | 32) == 110


cdef bint is_topology(const uint8_t* p, size_t n) noexcept nogil:
    return same_nocase(p, n, b"linear") or same_nocase(p, n, b"circular") or same_nocase(p, n, b"tandem")


cdef struct Tokens:
    const uint8_t* p[24]
    size_t n[24]
    int count
    int unit_at                   # index of the last bp, aa or rc behind a number; -1 where there is none
    bint glued                    # the unit stands in one token with its number: 20bp
    int64_t length


cdef void locus_tokens(const uint8_t* p, size_t n, Tokens* t) noexcept nogil:
    """Split what follows LOCUS at blanks and find the length; the name before it may hold blanks and numbers."""
    cdef int i
    t.unit_at = -1
    t.glued = False
    split_tokens(p, n, 5, t)
    for i in range(2, t.count):
        if is_unit(t.p[i], t.n[i]) and parse_int(t.p[i - 1], t.n[i - 1], &t.length):
            t.unit_at = i             # parse_int leaves the length alone where it finds none
    if t.unit_at >= 0:
        return
    if t.count > 1 and t.n[1] > 2 and is_unit(t.p[1] + t.n[1] - 2, 2) and parse_int(t.p[1], t.n[1] - 2, &t.length):
        t.unit_at = 1
        t.glued = True


cdef inline bint is_unit(const uint8_t* p, size_t n) noexcept nogil:
    return n == 2 and (same_nocase(p, n, b"bp") or same_nocase(p, n, b"aa") or same_nocase(p, n, b"rc"))


cdef void split_tokens(const uint8_t* p, size_t n, size_t at, Tokens* t) noexcept nogil:
    cdef size_t start
    t.count = 0
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


cdef int locus_line(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """`LOCUS name length unit [strand-]molecule topology division date`, by tokens (gbrel §3.4.4)."""
    cdef Tokens t
    cdef int i, unit_at
    cdef const uint8_t* unit
    if n > 5 and not is_blank(p[5]):
        return fail(s, b"no blank follows LOCUS: ", p, n)
    locus_tokens(p, n, &t)
    unit_at = t.unit_at
    if t.count and not (t.count > 1 and is_unit(t.p[1], t.n[1]) and unit_at < 0 and are_digits(t.p[0], t.n[0])):
        append_text(s, &s.name, t.p[0], t.n[0])
    if unit_at < 0:
        return fail(s, b"the LOCUS line has no length in bp, aa or rc: ", p, n)
    unit = t.p[unit_at] + t.n[unit_at] - 2
    s.length = t.length
    s.unit = UNIT_BP if (unit[0] | 32) == 98 else UNIT_AA if (unit[0] | 32) == 97 else UNIT_RC
    for i in range(1, unit_at if t.glued else unit_at - 1):
        col_byte(&s.name, 32)
        append_text(s, &s.name, t.p[i], t.n[i])
    text_put(&s.cols[C_LOCUS_NAME], s.name.data, s.name.n)
    i64_put(&s.cols[C_LENGTH], t.length)
    text_put_c(&s.cols[C_LENGTH_UNIT], b"bp" if s.unit == UNIT_BP else b"aa" if s.unit == UNIT_AA else b"rc")
    unit += 2
    return append_text(s, &s.locus, unit, p + n - unit)


cdef int close_locus(Scan* s) except -1 nogil:
    """The LOCUS line is complete: take what follows the unit."""
    cdef Tokens t
    s.locus_open = 0
    split_tokens(s.locus.data, s.locus.n, 0, &t)
    return locus_rest(s, t.p, t.n, t.count)


cdef int locus_rest(Scan* s, const uint8_t** token, size_t* token_n, int tokens) except -1 nogil:
    """What follows the unit, recognised by vocabulary because any of it may be blank."""
    cdef const uint8_t* molecule = NULL
    cdef const uint8_t* topology = NULL
    cdef const uint8_t* division = NULL
    cdef const uint8_t* strand = NULL
    cdef uint8_t letter
    cdef size_t molecule_n = 0
    cdef int32_t day = 0
    cdef bint dated = False
    cdef int i, skip = -1
    cdef const uint8_t* t
    cdef size_t m
    for i in range(tokens):
        t = token[i]
        m = token_n[i]
        if i == skip:
            continue
        if topology == NULL and is_topology(t, m):
            topology = t
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
        elif (molecule == NULL and division == NULL and topology == NULL and i + 1 < tokens
                and is_molecule(token[i + 1], token_n[i + 1])):
            molecule = t              # of two words: transcribed RNA
            molecule_n = token[i + 1] + token_n[i + 1] - t
            skip = i + 1
        elif (molecule == NULL and division == NULL and topology == NULL and i + 2 < tokens and is_division(t, m)
                and is_topology(token[i + 1], token_n[i + 1]) and is_division(token[i + 2], token_n[i + 2])):
            molecule = t              # of three letters: PRT
            molecule_n = m
        elif division == NULL and is_division(t, m) and (t[0] < 97 or molecule != NULL or topology != NULL):
            division = t
        elif molecule == NULL and topology == NULL and division == NULL and not is_digit(t[0]):
            molecule = t
            molecule_n = m
        else:
            note(s, b"LOCUS line: not understood: ", t, m)
    division_or_null(s, division)
    text_or_null(s, C_MOLECULE_TYPE, molecule, molecule_n)
    if topology == NULL:
        text_null(&s.cols[C_TOPOLOGY])
    else:
        text_put_c(&s.cols[C_TOPOLOGY], b"circular" if s.circular else
                   b"linear" if (topology[0] | 32) == 108 else b"tandem")
    if strand != NULL:
        letter = strand[0] | 32
        text_put_c(&s.cols[C_STRANDEDNESS], b"ss" if letter == 115 else b"ds" if letter == 100 else b"ms")
    else:
        text_null(&s.cols[C_STRANDEDNESS])
    if dated:
        i32_put(&s.cols[C_UPDATE_DATE], day)
    else:
        fixed_null(&s.cols[C_UPDATE_DATE])
    return 0


cdef int division_or_null(Scan* s, const uint8_t* p) except -1 nogil:
    cdef int i
    if p == NULL:
        return text_null(&s.cols[C_DIVISION])
    for i in range(3):
        col_byte(&s.cols[C_DIVISION], p[i] & 0xDF)
    return text_end(&s.cols[C_DIVISION])


cdef int text_or_null(Scan* s, int column, const uint8_t* p, size_t n) except -1 nogil:
    if p == NULL:
        return text_null(&s.cols[column])
    append_text(s, &s.cols[column], p, n)
    return text_end(&s.cols[column])
