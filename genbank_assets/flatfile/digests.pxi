# The digest of a record's text. A processor hashes two streams in little more than the time of one, so the last part of
# a record's text waits for the next record's, and its row has an empty digest until then. Nothing waits when a batch is
# handed over, nor at the end of a buffer, where the bytes that wait would be gone.

cdef uint8_t[32] NO_DIGEST


cdef int hash_span(Scan* s, const uint8_t* upto) except -1 nogil:
    """Hash the record's text in this buffer up to `upto`, and keep its beginning for quarantine."""
    sha256_update(&s.record_hash, s.span, upto - s.span)
    keep_raw(s, upto)
    s.span = upto
    return 0


cdef int put_record_digest(Scan* s, const uint8_t* after) except -1 nogil:
    """A finished record's digest; of it and the one that waits, the one with more left to hash waits then."""
    cdef Unhashed* waiting = &s.unhashed
    cdef Unhashed this
    this.hash = s.record_hash
    this.text = s.span
    this.n = after - s.span
    this.at = s.cols[C_RECORD_SHA256].n
    fixed_put(&s.cols[C_RECORD_SHA256], NO_DIGEST)
    s.span = after
    if waiting.text == NULL:
        waiting[0] = this
        return 0
    sha256_side_by_side(&waiting.hash, &waiting.text, &waiting.n, &this.hash, &this.text, &this.n)
    if this.n <= waiting.n:
        finish_digest(s, &this)
    else:
        finish_digest(s, waiting)
        waiting[0] = this
    return 0


cdef void finish_digest(Scan* s, Unhashed* record) noexcept nogil:
    """Hash the rest of a record's text and put the digest into its row."""
    cdef uint8_t* digest = s.cols[C_RECORD_SHA256].data + record.at
    cdef int i
    sha256_update(&record.hash, record.text, record.n)
    sha256_final(&record.hash, digest)
    for i in range(32):
        s.record_xor[i] ^= digest[i]
    record.text = NULL


cdef void finish_digests(Scan* s) noexcept nogil:
    """Finish the digest that waits, if one does."""
    if s.unhashed.text != NULL:
        finish_digest(s, &s.unhashed)


cdef int hash_rest(Scan* s, const uint8_t* end) except -1 nogil:
    """The buffer ends: hash what waits, beside what it holds of an open record."""
    cdef Unhashed* waiting = &s.unhashed
    cdef const uint8_t* text = s.span
    cdef size_t n = end - text
    if s.in_record:
        if waiting.text != NULL:
            sha256_side_by_side(&waiting.hash, &waiting.text, &waiting.n, &s.record_hash, &text, &n)
        sha256_update(&s.record_hash, text, n)
        keep_raw(s, end)
        s.span = end
    finish_digests(s)
    return 0
