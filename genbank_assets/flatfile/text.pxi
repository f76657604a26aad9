# Small functions over bytes: trimming, tokens, numbers, dates. Nothing here knows a record's state.

cdef extern from "words.h" nogil:
    size_t blanks_before(const uint8_t* p, size_t n), word_before(const uint8_t* p, size_t n)


cdef inline bint is_blank(uint8_t c) noexcept nogil:
    return c == 32 or c == 9 or c == 13


cdef inline bint is_digit(uint8_t c) noexcept nogil:
    return c >= 48 and c <= 57


cdef inline bint is_word(uint8_t c) noexcept nogil:
    """Letters, digits, underscore, hyphen, apostrophe, asterisk: what qualifier names are made of (FT §3.1)."""
    return ((c >= 48 and c <= 57) or (c >= 65 and c <= 90) or (c >= 97 and c <= 122)
            or c == 95 or c == 45 or c == 39 or c == 42)


cdef inline size_t rtrim(const uint8_t* p, size_t n) noexcept nogil:
    while n and is_blank(p[n - 1]):
        n -= 1
    return n


cdef inline size_t indent_of(const uint8_t* p, size_t n) noexcept nogil:
    return 0 if n == 0 or p[0] > 32 else blanks_before(p, n)


cdef inline bint same(const uint8_t* p, size_t n, const char* text) noexcept nogil:
    return n == strlen(text) and memcmp(p, text, n) == 0


cdef inline size_t word_of(const uint8_t* p, size_t n) noexcept nogil:
    """How long the word is that `p` begins with."""
    return word_before(p, n)


cdef inline size_t column_of(const uint8_t* p, size_t n) noexcept nogil:
    """The column, from 0, that stands behind `n` blanks: a tab goes on to the next multiple of eight."""
    cdef size_t i, column = 0
    for i in range(n):
        column += 8 - column % 8 if p[i] == 9 else 1
    return column


cdef inline bint starts(const uint8_t* p, size_t n, const char* text) noexcept nogil:
    cdef size_t m = strlen(text)
    return n >= m and memcmp(p, text, m) == 0


cdef inline bint starts_nocase(const uint8_t* p, size_t n, const char* lower) noexcept nogil:
    cdef size_t m
    if n == 0 or (p[0] | 32) != <uint8_t> lower[0]:
        return False
    m = strlen(lower)
    return n >= m and same_nocase(p, m, lower)


cdef inline bint same_nocase(const uint8_t* p, size_t n, const char* lower) noexcept nogil:
    cdef size_t i
    if n != strlen(lower):
        return False
    for i in range(n):
        if (p[i] | 32 if 65 <= p[i] <= 90 else p[i]) != <uint8_t> lower[i]:
            return False
    return True


cdef inline bint has_byte(const uint8_t* p, size_t n, uint8_t c) noexcept nogil:
    return n > 0 and memchr(p, c, n) != NULL


cdef inline bint parse_int(const uint8_t* p, size_t n, int64_t* out) noexcept nogil:
    """Decimal digits only, at most 18 of them."""
    cdef int64_t v = 0
    cdef size_t i
    if n == 0 or n > 18:
        return False
    for i in range(n):
        if not is_digit(p[i]):
            return False
        v = v * 10 + (p[i] - 48)
    out[0] = v
    return True


cdef int64_t days_from_civil(int64_t y, int64_t m, int64_t d) noexcept nogil:
    """Days since 1970-01-01 of a Gregorian date (H. Hinnant's algorithm)."""
    cdef int64_t era, yoe, doy, doe
    if m <= 2:
        y -= 1
    era = (y if y >= 0 else y - 399) // 400
    yoe = y - era * 400
    doy = (153 * (m - 3 if m > 2 else m + 9) + 2) // 5 + d - 1
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return era * 146097 + doe - 719468


cdef bint parse_date(const uint8_t* p, size_t n, int32_t* out) noexcept nogil:
    """dd-MMM-yyyy, a day that exists (gbrel §3.4.4)."""
    cdef const char* months = b"janfebmaraprmayjunjulaugsepoctnovdec"
    cdef int64_t day, year, limit
    cdef int month, i
    cdef size_t dash = 2 if n == 11 else 1
    if n != 10 and n != 11:
        return False
    if p[dash] != 45 or p[dash + 4] != 45:
        return False
    if not parse_int(p, dash, &day) or not parse_int(p + dash + 5, 4, &year):
        return False
    month = 0
    for i in range(12):
        if ((p[dash + 1] | 32) == <uint8_t> months[3 * i] and (p[dash + 2] | 32) == <uint8_t> months[3 * i + 1]
                and (p[dash + 3] | 32) == <uint8_t> months[3 * i + 2]):
            month = i + 1
    if month == 0 or day < 1 or year < 1:
        return False
    limit = 31
    if month == 4 or month == 6 or month == 9 or month == 11:
        limit = 30
    elif month == 2:
        limit = 29 if (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)) else 28
    if day > limit:
        return False
    out[0] = <int32_t> days_from_civil(year, month, day)
    return True


cdef str python_text(bytes piece):
    """A piece of a line, which may end inside a character, as the reader takes all text: UTF-8, else Latin-1."""
    for cut in range(4):
        try:
            return piece[: len(piece) - cut].decode()
        except UnicodeDecodeError:
            continue
    return piece.decode("latin-1")
