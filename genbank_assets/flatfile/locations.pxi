# Feature locations: text -> spans (gbrel §3.4.12.2, FT §3.4). Iterative, with an explicit stack, so that a location
# of thousands of exons or of hostile depth costs no recursion. The text as written is kept beside the spans, so
# a location this grammar does not know loses nothing: it gives no spans and a note.

cdef enum:
    MAX_DEPTH = 64
    OP_NONE = 0, OP_COMPLEMENT = 1, OP_JOIN = 2, OP_ORDER = 3, OP_BOND = 4, OP_ONE_OF = 5, OP_GROUP = 6
    KIND_RANGE = 0, KIND_BASE = 1, KIND_BETWEEN = 2, KIND_WITHIN = 3, KIND_GAP = 4

cdef struct Span:
    const uint8_t* accession
    size_t accession_n
    int64_t start, end
    int8_t strand
    bint partial_start, partial_end
    int kind

cdef struct Location:
    Span* spans
    size_t n, cap
    int op                        # outermost operator, complement left out


cdef inline Span* span_new(Location* loc) except NULL nogil:
    cdef size_t cap
    cdef Span* p
    if loc.n == loc.cap:
        cap = loc.cap * 2 if loc.cap else 64
        p = <Span*> realloc(loc.spans, cap * sizeof(Span))
        if p == NULL:
            with gil:
                raise MemoryError("no memory for a location")
        loc.spans = p
        loc.cap = cap
    loc.n += 1
    memset(&loc.spans[loc.n - 1], 0, sizeof(Span))
    loc.spans[loc.n - 1].strand = 1
    return &loc.spans[loc.n - 1]


cdef inline bint take_int(const uint8_t* p, size_t n, size_t* at, int64_t* out) noexcept nogil:
    cdef size_t i = at[0]
    while i < n and is_digit(p[i]):
        i += 1
    if not parse_int(p + at[0], i - at[0], out):
        return False
    at[0] = i
    return True


cdef bint take_position(
    const uint8_t* p, size_t n, size_t* at, int64_t* low, int64_t* high, bint* partial, bint* fuzzy
) noexcept nogil:
    """`n`, `<n`, `>n`, `(a.b)`, `one-of(a,b,...)`: lowest and highest residue it may mean."""
    cdef int64_t v
    cdef uint8_t close = 41
    partial[0] = False
    fuzzy[0] = False
    if at[0] < n and (p[at[0]] == 60 or p[at[0]] == 62):
        partial[0] = True
        at[0] += 1
    if at[0] < n and is_digit(p[at[0]]):
        if not take_int(p, n, at, low):
            return False
        high[0] = low[0]
        return True
    if at[0] < n and p[at[0]] == 40:
        at[0] += 1
    elif starts_nocase(p + at[0], n - at[0], b"one-of("):
        at[0] += 7
    else:
        return False
    fuzzy[0] = True
    while at[0] < n and (p[at[0]] == 60 or p[at[0]] == 62):
        at[0] += 1
    if not take_int(p, n, at, low):
        return False
    high[0] = low[0]
    while at[0] < n and (p[at[0]] == 46 or p[at[0]] == 44):
        at[0] += 1
        while at[0] < n and (p[at[0]] == 60 or p[at[0]] == 62 or p[at[0]] == 46):
            at[0] += 1
        if not take_int(p, n, at, &v):
            return False
        if v < low[0]:
            low[0] = v
        if v > high[0]:
            high[0] = v
    if at[0] >= n or p[at[0]] != close:
        return False
    at[0] += 1
    return True


cdef int take_gap(const uint8_t* p, size_t n, size_t* at, Location* loc) except -1 nogil:
    """`gap()`, `gap(100)`, `gap(unk100)` inside a join."""
    cdef size_t i = at[0] + 4
    cdef Span* span
    while i < n and p[i] != 41:
        if not (is_digit(p[i]) or (p[i] | 32) >= 97 and (p[i] | 32) <= 122):
            return False
        i += 1
    if i >= n:
        return False
    span = span_new(loc)
    span.kind = KIND_GAP
    at[0] = i + 1
    return True


cdef int take_span(const uint8_t* p, size_t n, size_t* at, Location* loc) except -1 nogil:
    """One span, with its remote accession if it has one."""
    cdef size_t i = at[0]
    cdef Span* span
    cdef int64_t low, high, low2, high2
    cdef bint partial, fuzzy
    cdef size_t colon = 0
    while i < n and (is_word(p[i]) or p[i] == 46 or p[i] == 124 or p[i] == 58):
        if p[i] == 58:
            colon = i
            break
        i += 1
    span = span_new(loc)
    if colon:
        span.accession = p + at[0]
        span.accession_n = colon - at[0]
        at[0] = colon + 1
    if not take_position(p, n, at, &low, &high, &partial, &fuzzy):
        return False
    span.start = low
    span.end = high
    span.partial_start = partial
    span.kind = KIND_WITHIN if fuzzy else KIND_BASE
    if partial and not (at[0] < n and p[at[0]] == 46):
        span.partial_end = True       # a lone "<5" lies somewhere before residue 5 as a whole
    if at[0] + 1 < n and p[at[0]] == 46 and p[at[0] + 1] == 46:
        at[0] += 2
        span.kind = KIND_WITHIN if fuzzy else KIND_RANGE
        if not take_position(p, n, at, &low2, &high2, &partial, &fuzzy):
            return False
        span.end = high2
        span.partial_end = partial
        if fuzzy:
            span.kind = KIND_WITHIN
    elif at[0] < n and (p[at[0]] == 94 or p[at[0]] == 46):
        span.kind = KIND_BETWEEN if p[at[0]] == 94 else KIND_WITHIN
        at[0] += 1
        if not take_position(p, n, at, &low2, &high2, &partial, &fuzzy):
            return False
        span.end = high2
        span.partial_end = partial
    return True


cdef inline int operator_at(const uint8_t* p, size_t n, size_t* length) noexcept nogil:
    if (p[0] | 32) < 97:
        return OP_NONE                # a span
    if starts(p, n, b"complement(") or starts_nocase(p, n, b"complement("):
        length[0] = 11
        return OP_COMPLEMENT
    if starts(p, n, b"join(") or starts_nocase(p, n, b"join("):
        length[0] = 5
        return OP_JOIN
    if starts_nocase(p, n, b"order("):
        length[0] = 6
        return OP_ORDER
    if starts_nocase(p, n, b"bond("):
        length[0] = 5
        return OP_BOND
    return OP_NONE


cdef void reverse_spans(Location* loc, size_t first) noexcept nogil:
    """complement(join(a,b)) is join(complement(b),complement(a)): keep reading order."""
    cdef size_t i = first, j = loc.n
    cdef Span swap
    for i in range(first, loc.n):
        loc.spans[i].strand = -loc.spans[i].strand
    i = first
    while j > i + 1:
        j -= 1
        swap = loc.spans[i]
        loc.spans[i] = loc.spans[j]
        loc.spans[j] = swap
        i += 1


cdef bint one_of_is_operator(const uint8_t* p, size_t n) noexcept nogil:
    """`one-of(...)` over whole locations, as against a position such as one-of(1,5)..10."""
    cdef size_t i, depth = 0
    for i in range(7, n):
        if p[i] == 40:
            depth += 1
        elif p[i] == 41:
            if depth == 0:
                return i + 2 >= n or p[i + 1] != 46
            depth -= 1
    return True


cdef int parse_location(const uint8_t* p, size_t n, Location* loc) except -1 nogil:
    """Fill `loc` from a location without white space; False when the grammar does not fit."""
    cdef int stack[MAX_DEPTH]
    cdef size_t first[MAX_DEPTH]
    cdef size_t depth = 0, at = 0, length = 0
    cdef int op
    cdef bint want = True         # a span or operator must come next
    loc.n = 0
    loc.op = OP_NONE
    while at < n:
        if want:
            op = operator_at(p + at, n - at, &length)
            if op == OP_NONE and starts_nocase(p + at, n - at, b"one-of(") and one_of_is_operator(p + at, n - at):
                op = OP_ONE_OF
                length = 7
            if op != OP_NONE:
                if depth == MAX_DEPTH:
                    return False
                stack[depth] = op
                first[depth] = loc.n
                depth += 1
                at += length
                if op != OP_COMPLEMENT and loc.op == OP_NONE:
                    loc.op = op
                continue
            if starts_nocase(p + at, n - at, b"gap("):
                if not take_gap(p, n, &at, loc):
                    return False
            elif p[at] == 41 and depth and at and p[at - 1] == 44:
                pass              # a trailing comma, as in order(1..2,) of some RefSeq plastids
            elif not take_span(p, n, &at, loc):
                return False
            want = False
        elif p[at] == 44 and depth and stack[depth - 1] != OP_COMPLEMENT:
            at += 1
            want = True
        elif p[at] == 41 and depth:
            depth -= 1
            if stack[depth] == OP_COMPLEMENT:
                reverse_spans(loc, first[depth])
            at += 1
        else:
            return False
    return depth == 0 and not want and loc.n > 0
