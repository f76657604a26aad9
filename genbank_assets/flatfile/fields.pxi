# Header fields that are taken apart once they are complete: master ranges, references, accessions, keywords, organism
# and lineage, source, structured comments.


cdef int close_wgs(Scan* s) except -1 nogil:
    if not s.wgs_open:
        return 0
    s.wgs_open = 0
    text_put(&s.cols[C_WGS_KEY], s.wgs_key.data, s.wgs_key.n)
    return text_end(&s.cols[C_WGS_VALUE])


cdef int close_reference(Scan* s) except -1 nogil:
    """REFERENCE `n  (bases a to b; c to d)`: number, what stands in parentheses, and the sub-fields."""
    cdef const uint8_t* p = s.reference.data
    cdef size_t n = s.reference.n, at = 0
    cdef int64_t number
    cdef int i
    if not s.ref_open:
        return 0
    s.ref_open = 0
    while at < n and is_digit(p[at]):
        at += 1
    if parse_int(p, at, &number) and number < 0x7fffffff:
        i32_put(&s.cols[C_REF_NUMBER], <int32_t> number)
    else:
        fixed_null(&s.cols[C_REF_NUMBER])
        at = 0
    while at < n and is_blank(p[at]):
        at += 1
    if n > at + 1 and p[at] == 40 and p[n - 1] == 41:
        at += 1
        n -= 1
    if n > at:
        text_put(&s.cols[C_REF_LOCATION], p + at, n - at)
    else:
        text_null(&s.cols[C_REF_LOCATION])
    for i in range(C_REF_AUTHORS, C_REF_REMARK + 1):
        text_end_or_null(&s.cols[i])
    s.reference.n = 0
    return 0


cdef int finish_accession(Scan* s) except -1 nogil:
    """ACCESSION and VERSION -> accession, version, accession_version, secondary accessions."""
    cdef const uint8_t* p = s.accession.data
    cdef size_t n = s.accession.n, at = 0, start, dot
    cdef const uint8_t* primary = NULL
    cdef size_t primary_n = 0, version_n = 0
    cdef int64_t number
    while at < n:
        while at < n and (is_blank(p[at]) or p[at] == 59):
            at += 1
        start = at
        while at < n and not is_blank(p[at]) and p[at] != 59:
            at += 1
        if at == start:
            break
        if same(p + start, at - start, b"REGION:"):
            note(s, b"ACCESSION names a part of a record: ", p + start, n - start)
            while at < n and is_blank(p[at]):
                at += 1
            while at < n and not is_blank(p[at]):
                at += 1           # its location; further accessions may follow
            continue
        if primary == NULL:
            primary = p + start
            primary_n = at - start
        else:
            text_put(&s.cols[C_SECONDARY_ITEM], p + start, at - start)
    while version_n < s.version.n and not is_blank(s.version.data[version_n]):
        version_n += 1
    dot = version_n
    while dot and s.version.data[dot - 1] != 46:
        dot -= 1
    if dot == 1:
        version_n = 0             # ".0": a version of nothing
    if primary == NULL and version_n:
        primary = s.version.data
        primary_n = dot - 1 if dot else version_n
    if primary == NULL or primary_n == 0:
        primary = s.name.data
        primary_n = s.name.n
    if primary_n > ACCESSION_LIMIT:
        return fail(s, b"the accession is absurdly long: ", primary, primary_n)
    if version_n > 2 * ACCESSION_LIMIT:
        return fail(s, b"the version is absurdly long: ", s.version.data, version_n)
    text_put(&s.cols[C_ACCESSION], primary, primary_n)
    if version_n:
        text_put(&s.cols[C_ACCESSION_VERSION], s.version.data, version_n)
    else:
        text_put(&s.cols[C_ACCESSION_VERSION], primary, primary_n)
    if version_n and dot and parse_int(s.version.data + dot, version_n - dot, &number) and number < 0x7fffffff:
        i32_put(&s.cols[C_VERSION], <int32_t> number)
    else:
        fixed_null(&s.cols[C_VERSION])
    return list_end(&s.cols[C_SECONDARY], s.cols[C_SECONDARY_ITEM].rows)


cdef int split_list(Scan* s, const uint8_t* p, size_t n, int items) except -1 nogil:
    """`a; b; c.` -> rows; the final period and empty entries fall away."""
    cdef size_t at = 0, start, end
    n = rtrim(p, n)
    if n and p[n - 1] == 46:
        n -= 1
    while at < n:
        start = at
        while at < n and p[at] != 59:
            at += 1
        end = start + rtrim(p + start, at - start)
        while start < end and is_blank(p[start]):
            start += 1
        if end > start:
            text_put(&s.cols[items], p + start, end - start)
        at += 1
    return 0


cdef int finish_organism(Scan* s) except -1 nogil:
    """Name lines, then the lineage: it begins at the first later line with a `;`, or that ends the field with `.`."""
    cdef uint8_t* p = s.organism.data
    cdef size_t n = s.organism.n, at = 0, end, lineage = n, i
    cdef size_t name_at, name_n
    cdef uint8_t* line_end
    cdef bint first = True
    while at < n:
        line_end = <uint8_t*> memchr(p + at, 10, n - at)
        end = line_end - p if line_end != NULL else n
        if not first and (has_byte(p + at, end - at, 59) or (end == n and end > at and p[end - 1] == 46)):
            lineage = at
            break
        first = False
        at = end + 1
    name_n = lineage - 1 if lineage < n else n
    for i in range(n):
        if p[i] == 10:
            p[i] = 32
    name_n = rtrim(p, name_n) if n else 0
    name_at = indent_of(p, name_n)
    if name_n > name_at:
        text_put(&s.cols[C_ORGANISM], p + name_at, name_n - name_at)
    else:
        text_null(&s.cols[C_ORGANISM])
    if lineage < n:
        split_list(s, p + lineage, n - lineage, C_TAXON_NAME)
    return list_end(&s.cols[C_TAXONOMY], s.cols[C_TAXON_NAME].rows)


cdef int finish_source(Scan* s) except -1 nogil:
    """SOURCE without the period that ends it (gbrel §3.4.10), unless it is the organism's own: `Bacillus sp.`"""
    cdef Col* c = &s.cols[C_SOURCE]
    cdef Col* organism = &s.cols[C_ORGANISM]
    cdef const uint8_t* name = organism.data + organism.offsets[organism.rows - 1]
    cdef size_t n = c.n - text_start(c), name_n = organism.n - organism.offsets[organism.rows - 1]
    if n and c.data[c.n - 1] == 46:
        if name_n < 2 or name_n > n or memcmp(c.data + c.n - name_n, name, name_n) != 0:
            c.n -= 1
    return text_end_or_null(c)


cdef int finish_structured_comments(Scan* s) except -1 nogil:
    """`##Name-START##`, `Key :: Value` lines, `##Name-END##`; a value may run over lines."""
    cdef Col* c = &s.cols[C_COMMENT]
    cdef const uint8_t* p = c.data + text_start(c)
    cdef size_t n = c.n - text_start(c), at = 0, end, k, start
    cdef bint inside = False, item = False
    cdef uint8_t* line_end
    cdef const uint8_t* mark = NULL
    while at < n:
        if not inside and (mark == NULL or mark < p + at):
            mark = <const uint8_t*> memmem(p + at, n - at, b"##", 2)
            if mark == NULL:
                break
        line_end = <uint8_t*> memchr(p + at, 10, n - at)
        end = line_end - p if line_end != NULL else n
        start = at + indent_of(p + at, end - at)
        at = end + 1
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
            line_end = <uint8_t*> memmem(p + start, end - start, b"::", 2)
            if line_end != NULL:
                if item:
                    text_end(&s.cols[C_STRUCTURED_VALUE])
                k = line_end - p
                text_put(&s.cols[C_STRUCTURED_KEY], p + start, rtrim(p + start, k - start))
                k += 2
                k += indent_of(p + k, end - k)
                col_append(&s.cols[C_STRUCTURED_VALUE], p + k, end - k)
                item = True
            elif item:
                col_byte(&s.cols[C_STRUCTURED_VALUE], 32)
                col_append(&s.cols[C_STRUCTURED_VALUE], p + start, end - start)
    close_structured(s, inside, item)
    return list_end(&s.cols[C_STRUCTURED], s.cols[C_STRUCTURED_NAME].rows)


cdef int close_structured(Scan* s, bint inside, bint item) except -1 nogil:
    if item:
        text_end(&s.cols[C_STRUCTURED_VALUE])
    if inside:
        list_end(&s.cols[C_STRUCTURED_ITEMS], s.cols[C_STRUCTURED_KEY].rows)
    return 0
