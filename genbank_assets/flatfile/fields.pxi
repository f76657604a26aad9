# Header fields that are taken apart once they are complete: master ranges, references, accessions, keywords, organism
# and lineage, source. Structured comments are in structured.pxi.

include "structured.pxi"


cdef int close_wgs(Scan* s) except -1 nogil:
    if not s.wgs_open:
        return 0
    s.wgs_open = 0
    text_put(&s.cols[C_WGS_KEY], s.wgs_key.data, s.wgs_key.n)
    return text_end(&s.cols[C_WGS_VALUE])


cdef int close_reference(Scan* s) except -1 nogil:
    """REFERENCE `n  (bases a to b; c to d)`: number, what stands in parentheses, and the sub-fields.

    AUTHORS of NCBI may be a lone period. It is kept, but for records of writers that put it wherever there is nothing.
    """
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
        if n and not (s.periods and same(p, n, b".")):
            note(s, b"REFERENCE has no number: ", p, n)
    while at < n and is_blank(p[at]):
        at += 1
    if n > at + 1 and p[at] == 40 and p[n - 1] == 41 and not has_byte(p + at, n - at - 1, 41):
        at += 1
        n -= 1
    if n > at and not (s.periods and same(p + at, n - at, b".")):
        text_put(&s.cols[C_REF_LOCATION], p + at, n - at)
    else:
        text_null(&s.cols[C_REF_LOCATION])
    for i in range(C_REF_AUTHORS, C_REF_REMARK + 1):
        if s.periods and s.cols[i].n == text_start(&s.cols[i]) + 1 and s.cols[i].data[s.cols[i].n - 1] == 46:
            text_null(&s.cols[i])
        else:
            text_end_or_null(&s.cols[i])
    s.reference.n = 0
    return 0


cdef int finish_accession(Scan* s) except -1 nogil:
    """ACCESSION and VERSION -> accession, version, accession_version, secondary accessions.

    A lone period is what writers put for nothing. A VERSION that is not the accession, a period and a number says
    nothing about versions. A name of several words is one accession where LOCUS has it too.
    """
    cdef const uint8_t* p = s.accession.data
    cdef size_t n = s.accession.n, at = 0, start, dot
    cdef const uint8_t* primary = NULL
    cdef size_t primary_n = 0, version_n = 0
    cdef int64_t number
    if n and n == s.name.n and memcmp(p, s.name.data, n) == 0:
        primary = p
        primary_n = at = n
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
        if same(p + start, at - start, b"."):
            continue
        if primary == NULL:
            primary = p + start
            primary_n = at - start
        else:
            text_put(&s.cols[C_SECONDARY_ITEM], p + start, at - start)
    if s.version.n >= s.name.n and memcmp(s.version.data, s.name.data, s.name.n) == 0:
        version_n = s.name.n          # which may be of several words
    version_n += word_of(s.version.data + version_n, s.version.n - version_n)
    if version_n < s.version.n:
        version_rest(s, s.version.data + version_n, s.version.n - version_n)
    dot = version_n
    while dot and s.version.data[dot - 1] != 46:
        dot -= 1
    if dot == 1:
        version_n = 0             # ".0": a version of nothing
    if primary == NULL and version_n:
        primary = s.version.data
        primary_n = version_n
        if dot and not has_byte(primary, dot - 1, 46) and parse_int(primary + dot, version_n - dot, &number):
            primary_n = dot - 1
    if primary == NULL or primary_n == 0:
        primary = s.name.data
        primary_n = s.name.n
    if primary_n > ACCESSION_LIMIT:
        return fail(s, b"the accession is absurdly long: ", primary, primary_n)
    if version_n > 2 * ACCESSION_LIMIT:
        return fail(s, b"the version is absurdly long: ", s.version.data, version_n)
    text_put(&s.cols[C_ACCESSION], primary, primary_n)
    if (version_n and dot == primary_n + 1 and memcmp(primary, s.version.data, primary_n) == 0
            and parse_int(s.version.data + dot, version_n - dot, &number) and number < 0x7fffffff):
        i32_put(&s.cols[C_VERSION], <int32_t> number)
        text_put(&s.cols[C_ACCESSION_VERSION], s.version.data, version_n)
    else:
        fixed_null(&s.cols[C_VERSION])
        text_put(&s.cols[C_ACCESSION_VERSION], primary, primary_n)
        if version_n and not (version_n == primary_n and memcmp(primary, s.version.data, version_n) == 0):
            put_other(s, b"VERSION", s.version.data, version_n)
            note(s, b"VERSION is not the accession with a number: ", s.version.data, version_n)
    return list_end(&s.cols[C_SECONDARY], s.cols[C_SECONDARY_ITEM].rows)


cdef int version_rest(Scan* s, const uint8_t* p, size_t n) except -1 nogil:
    """What stands behind the version: `GI:123` until 2017."""
    cdef size_t indent = indent_of(p, n)
    if starts(p + indent, n - indent, b"GI:"):
        return put_other(s, b"GI", p + indent + 3, n - indent - 3)
    return put_other(s, b"VERSION", p + indent, n - indent)


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
        if first and has_byte(p, end, 59):
            lineage = lineage_in_line(s, p, end)
            if lineage < end:
                break
            lineage = n
        if not first and (has_byte(p + at, end - at, 59) or (end == n and end > at and p[end - 1] == 46)):
            lineage = at
            break
        first = False
        at = end + 1
    if lineage == n and n > 1 and has_byte(p, n, 10):
        lineage = lineage_below_name(s, p, n)
    name_n = lineage - 1 if lineage < n else n
    for i in range(n):
        if p[i] == 10:
            p[i] = 32
    name_n = rtrim(p, name_n) if n else 0
    name_at = indent_of(p, name_n)
    if name_n > name_at and not same(p + name_at, name_n - name_at, b"."):
        text_put(&s.cols[C_ORGANISM], p + name_at, name_n - name_at)
    else:
        text_null(&s.cols[C_ORGANISM])
    if lineage < n:
        split_list(s, p + lineage, n - lineage, C_TAXON_NAME)
    return list_end(&s.cols[C_TAXONOMY], s.cols[C_TAXON_NAME].rows)


cdef size_t lineage_below_name(Scan* s, uint8_t* p, size_t n) except? 0 nogil:
    """Where a lineage without semicolons and final period begins, below the name that SOURCE has too; `n` if none does.

    A name over several lines has nothing below it, and is SOURCE as a whole.
    """
    cdef Col* source = &s.cols[C_SOURCE]
    cdef const uint8_t* name = source.data + text_start(source)
    cdef size_t name_n = source.n - text_start(source), at
    for at in range(n):
        if p[at] == 10:
            if is_name_of_source(name, name_n, p, at):
                note(s, b"the lineage has neither semicolons nor a period: ", p + at + 1, n - at - 1)
                return at + 1
            p[at] = 32
    if not is_name_of_source(name, name_n, p, n):
        note(s, b"lines below ORGANISM were taken for more of its name: ", p, n)
    return n


cdef bint is_name_of_source(const uint8_t* source, size_t n, const uint8_t* name, size_t name_n) noexcept nogil:
    """SOURCE is the name, whatever follows in parentheses."""
    if name_n == 0 or name_n > n or memcmp(source, name, name_n) != 0:
        return False
    return name_n == n or source[name_n] == 46 or starts(source + name_n, n - name_n, b" (")


cdef const char* ROOTS[9]
ROOTS[0] = b" Bacteria;"
ROOTS[1] = b" Archaea;"
ROOTS[2] = b" Eukaryota;"
ROOTS[3] = b" Viruses;"
ROOTS[4] = b" other sequences;"
ROOTS[5] = b" unclassified sequences;"
ROOTS[6] = b" cellular organisms;"
ROOTS[7] = b" Viroids;"
ROOTS[8] = b" other entries;"


cdef size_t lineage_in_line(Scan* s, const uint8_t* p, size_t n) except? 0 nogil:
    """Where the lineage begins when it shares the line of the name; `n` where the line is the name alone.

    SOURCE often is the name and tells where it ends; else the first name of a lineage does.
    """
    cdef Col* source = &s.cols[C_SOURCE]
    cdef const uint8_t* name = source.data + text_start(source)
    cdef size_t name_n = source.n - text_start(source)
    cdef const uint8_t* found
    cdef int i
    if name_n and name[name_n - 1] == 46:
        name_n -= 1
    if name_n and name_n + 1 < n and memcmp(p, name, name_n) == 0:
        if p[name_n] == 46:
            name_n += 1               # Bacillus sp. Bacteria; ...
        if is_blank(p[name_n]) and p[name_n + 1] != 40:
            note(s, b"the lineage begins on the line of ORGANISM: ", p + name_n, n - name_n)
            return name_n + 1
    for i in range(9):
        found = <const uint8_t*> memmem(p, n, ROOTS[i], strlen(ROOTS[i]))
        if found != NULL and found > p:
            note(s, b"the lineage begins on the line of ORGANISM: ", found, n - (found - p))
            return found - p + 1
    return n


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
