# The end of a record: a row, or a quarantined block. How it is begun, noted about and given up is in record.pxi.

cdef int end_record(Scan* s, int64_t end_at, const uint8_t* after) except -1 nogil:
    """Turn the record into a row, or into a quarantined block. `after` is the byte behind it in this buffer."""
    cdef uint8_t digest[32]
    cdef int i
    cdef double gc
    cdef Col* c = &s.cols[C_RESIDUES]
    if not s.bad:
        close_feature(s)
    if not s.bad and s.unit != UNIT_RC and s.residues and s.residues != s.length:
        fail(s, b"residues do not number what the LOCUS line says", NULL, 0)
    if not s.bad:
        finish_header(s)
    if s.bad:
        s.in_record = False
        with gil:
            (<Scanner> s.owner)._quarantine(end_at)
        return 0
    if s.residues:
        if text_open(c):
            end_chunk(s)
        sha256_final(&s.sequence_hash, digest)
        fixed_put(&s.cols[C_SEQUENCE_SHA256], digest)
        for i in range(32):
            s.sequence_xor[i] ^= digest[i]
        s.with_sequence += 1
    else:
        fixed_null(&s.cols[C_SEQUENCE_SHA256])
    if s.acgt:
        gc = <double> s.gc / <double> s.acgt
        fixed_put(&s.cols[C_GC_FRACTION], &gc)
    else:
        fixed_null(&s.cols[C_GC_FRACTION])
    put_record_digest(s, after)
    if s.unit != UNIT_RC:
        s.total_residues += s.length
    s.features += s.cols[C_FEATURE_KEY].rows - s.cols[C_FEATURE_KEY].mark_rows
    finish_row(s, end_at)
    s.in_record = False
    s.records += 1
    if s.pending_bytes >= s.batch_bytes:
        with gil:
            (<Scanner> s.owner)._emit_records()
    return 0


cdef int finish_row(Scan* s, int64_t end_at) except -1 nogil:
    """The columns that are about the row itself, and the lists that are still open."""
    cdef Col* taxa = &s.cols[C_TAXON_IDS_ITEM]
    cdef int i
    list_end(&s.cols[C_FEATURES], s.cols[C_FEATURE_KEY].rows)
    list_end(&s.cols[C_NOTES], s.cols[C_NOTE].rows)
    keep_taxa_once(taxa)
    if s.source_taxon >= 0:
        i64_put(&s.cols[C_TAXON_ID], s.source_taxon)
    else:
        fixed_null(&s.cols[C_TAXON_ID])
    list_end(&s.cols[C_TAXON_IDS], taxa.rows)
    text_put(&s.cols[C_COLLECTION], s.collection, s.collection_n)
    text_put(&s.cols[C_SECTION], s.partition, s.partition_n)
    text_put(&s.cols[C_RELEASE], s.release, s.release_n)
    text_put(&s.cols[C_SOURCE_FILE], s.source_file, s.source_file_n)
    i64_put(&s.cols[C_RECORD_OFFSET], s.record_at)
    i64_put(&s.cols[C_RECORD_BYTES], end_at - s.record_at)
    i64_put(&s.cols[C_RECORD_ORDINAL], s.ordinal)
    for i in range(RECORD_COLS):
        s.pending_bytes += s.cols[i].n - s.cols[i].mark_n + 4 * (s.cols[i].rows - s.cols[i].mark_rows)
        col_mark(&s.cols[i])          # the next record is taken back to here
    return 0
