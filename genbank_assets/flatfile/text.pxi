# Small functions over bytes: trimming, tokens, un-wrapping, numbers, dates. Nothing here knows a record's state.

cdef enum:
    HEADER_WIDTH = 67             # columns 13-79: what NCBI's writer fills of a header line
    VALUE_WIDTH = 58              # columns 22-79: the same in the feature table

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
    cdef size_t i = 0
    while i < n and is_blank(p[i]):
        i += 1
    return i


cdef inline bint same(const uint8_t* p, size_t n, const char* text) noexcept nogil:
    return n == strlen(text) and memcmp(p, text, n) == 0


cdef inline bint starts(const uint8_t* p, size_t n, const char* text) noexcept nogil:
    cdef size_t m = strlen(text)
    return n >= m and memcmp(p, text, m) == 0


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


cdef bint broke_at_space(
    const uint8_t* line, size_t n, size_t width, const uint8_t* next, size_t next_n
) noexcept nogil:
    """Whether the writer dropped a space where `line` ended; `next`, which is not empty, goes on.

    NCBI's writer breaks at the last space that fits, else after a comma, else after a hyphen, else where the line is
    full (C++ toolkit, NStr::Wrap with fWrap_FlatFile). So a line with a blank broke at a space; a full one without
    blank, comma or hyphen broke inside a word; any other without a blank lost a single space before a word too long
    for it, or ends in the comma or hyphen it was broken after: the latter only if what goes up to the next place as
    good, or better, would not have fitted.
    """
    cdef uint8_t last
    cdef size_t piece = 0
    if n == 0 or has_byte(line, n, 32):
        return True
    last = line[n - 1]
    if last != 44 and last != 45:
        return n < width or has_byte(line, n, 44) or has_byte(line, n, 45)
    while piece < next_n and not is_blank(next[piece]):
        piece += 1
        if next[piece - 1] == 44 or next[piece - 1] == last:
            break
    if n + piece <= width:
        return True
    return last == 44 and comma_wants_space(line, n, next, next_n)


cdef bint comma_wants_space(const uint8_t* line, size_t n, const uint8_t* next, size_t next_n) noexcept nogil:
    """Whether a space follows the comma that ends `line`, by what stands beside it: both are written by the same hand.

    "2," before "6-diaminopimelate" is a chemical name; else the commas of both lines tell, and a sentence is more
    likely than a list without spaces.
    """
    cdef bint tight = has_byte(line, n - 1, 44)
    cdef const uint8_t* comma = <const uint8_t*> memchr(next, 44, next_n)
    if n > 1 and is_digit(line[n - 2]) and is_digit(next[0]):
        return False
    while comma != NULL and comma + 1 < next + next_n:
        if is_blank(comma[1]):
            return True
        tight = True
        comma = <const uint8_t*> memchr(comma + 1, 44, next + next_n - comma - 1)
    return not tight


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
    if month == 0 or day < 1:
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
