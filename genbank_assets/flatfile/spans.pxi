# A feature's spans as columns: each span, then the feature's own extent. How a location is read is in locations.pxi.


cdef int check_spans(Scan* s) except -1 nogil:
    """Note what no record of this length and topology can have; one note a location."""
    cdef size_t i
    cdef Span* span
    for i in range(s.spans.n):
        span = &s.spans.spans[i]
        if span.kind == KIND_GAP or span.accession != NULL:
            continue
        if span.start > s.length or span.end > s.length:
            if s.unit != UNIT_RC:
                return note(s, b"a location beyond the record's end: ", s.location.data, s.location.n)
        elif span.start < 1 or span.end < 1:
            return note(s, b"a location before the record's first residue: ", s.location.data, s.location.n)
        elif span.kind == KIND_BETWEEN and span.end != span.start + 1:
            if not (s.circular and span.start == s.length and span.end == 1):
                return note(s, b"a place between residues that are no neighbours: ", s.location.data, s.location.n)
        elif span.start > span.end and not s.circular:
            return note(s, b"a location that runs backwards on a record that is not circular: ",
                        s.location.data, s.location.n)
    return 0


cdef int put_spans(Scan* s) except -1 nogil:
    cdef size_t i
    cdef Span* span
    for i in range(s.spans.n):
        span = &s.spans.spans[i]
        if span.accession != NULL:
            text_put(&s.cols[C_SPAN_ACCESSION], span.accession, span.accession_n)
        else:
            text_null(&s.cols[C_SPAN_ACCESSION])
        if span.kind == KIND_GAP:
            fixed_null(&s.cols[C_SPAN_START])
            fixed_null(&s.cols[C_SPAN_END])
        else:
            i64_put(&s.cols[C_SPAN_START], span.start)
            i64_put(&s.cols[C_SPAN_END], span.end)
        i8_put(&s.cols[C_SPAN_STRAND], span.strand)
        i8_put(&s.cols[C_SPAN_PARTIAL_START], span.partial_start)
        i8_put(&s.cols[C_SPAN_PARTIAL_END], span.partial_end)
        if span.kind == KIND_RANGE:
            text_put_c(&s.cols[C_SPAN_KIND], b"range")
        elif span.kind == KIND_BASE:
            text_put_c(&s.cols[C_SPAN_KIND], b"base")
        elif span.kind == KIND_BETWEEN:
            text_put_c(&s.cols[C_SPAN_KIND], b"between")
        elif span.kind == KIND_WITHIN:
            text_put_c(&s.cols[C_SPAN_KIND], b"within")
        else:
            text_put_c(&s.cols[C_SPAN_KIND], b"gap")
    return list_end(&s.cols[C_SPANS], s.cols[C_SPAN_START].rows)


cdef int put_location(Scan* s) except -1 nogil:
    """The feature's own extent: its spans on this record taken together."""
    cdef size_t i
    cdef Span* span
    cdef Span* before = NULL
    cdef int64_t start, end, low = 0, high = 0
    cdef int strand = 0
    cdef bint any_local = False, partial_start = False, partial_end = False, mixed = False, origin = False, crosses
    for i in range(s.spans.n):
        span = &s.spans.spans[i]
        if span.kind == KIND_GAP or span.accession != NULL:
            before = NULL
            continue
        crosses = s.circular and span.start > span.end and span.kind != KIND_BETWEEN
        origin = origin or crosses or (s.circular and crosses_origin(s, before, span))
        before = span
        start, end = span.start, span.end
        if crosses and s.spans.n > 1:
            start, end = 1, s.length      # beside others it reaches to both ends of the record
        if not any_local or start < low:
            low = start
            partial_start = span.partial_start and start == span.start
        elif start == low:
            partial_start = partial_start or (span.partial_start and start == span.start)
        if not any_local or end > high:
            high = end
            partial_end = span.partial_end and end == span.end
        elif end == high:
            partial_end = partial_end or (span.partial_end and end == span.end)
        mixed = mixed or (any_local and span.strand != strand)
        strand = span.strand
        any_local = True
    if any_local:
        i64_put(&s.cols[C_START], low)
        i64_put(&s.cols[C_END], high)
    else:
        fixed_null(&s.cols[C_START])
        fixed_null(&s.cols[C_END])
    if any_local and not mixed:
        i8_put(&s.cols[C_STRAND], strand)
    else:
        fixed_null(&s.cols[C_STRAND])
    i8_put(&s.cols[C_PARTIAL_START], partial_start)
    i8_put(&s.cols[C_PARTIAL_END], partial_end)
    i8_put(&s.cols[C_SPANS_ORIGIN], origin)
    return put_operator(s)


cdef bint crosses_origin(Scan* s, const Span* before, const Span* span) noexcept nogil:
    """join(6800..7000,1..100) on a circular record of 7000 residues, in reading order on either strand."""
    if before == NULL or before.strand != span.strand:
        return False
    if span.strand > 0:
        return before.end == s.length and span.start == 1
    return before.start == 1 and span.end == s.length


cdef int put_operator(Scan* s) except -1 nogil:
    if s.spans.op == OP_JOIN:
        return text_put_c(&s.cols[C_OPERATOR], b"join")
    if s.spans.op == OP_ORDER:
        return text_put_c(&s.cols[C_OPERATOR], b"order")
    if s.spans.op == OP_BOND:
        return text_put_c(&s.cols[C_OPERATOR], b"bond")
    if s.spans.op == OP_ONE_OF:
        return text_put_c(&s.cols[C_OPERATOR], b"one-of")
    return text_null(&s.cols[C_OPERATOR])
