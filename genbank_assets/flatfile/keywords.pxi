# The keywords and sub-keywords of the header, and the field each begins.


cdef struct Keyword:
    const char* name
    int field
    int column

cdef enum:
    KEYWORD_COUNT = 30

cdef Keyword KEYWORDS[KEYWORD_COUNT]
KEYWORDS[0] = Keyword(b"DEFINITION", F_DEFINITION, 0)
KEYWORDS[1] = Keyword(b"ACCESSION", F_ACCESSION, 0)
KEYWORDS[2] = Keyword(b"VERSION", F_VERSION, 0)
KEYWORDS[3] = Keyword(b"DBLINK", F_DBLINK, 0)
KEYWORDS[4] = Keyword(b"PROJECT", F_DBLINK, 0)
KEYWORDS[5] = Keyword(b"KEYWORDS", F_KEYWORDS, 0)
KEYWORDS[6] = Keyword(b"SEGMENT", F_SEGMENT, 0)
KEYWORDS[7] = Keyword(b"DBSOURCE", F_DBSOURCE, 0)
KEYWORDS[8] = Keyword(b"SOURCE", F_SOURCE, 0)
KEYWORDS[9] = Keyword(b"REFERENCE", F_REFERENCE, 0)
KEYWORDS[10] = Keyword(b"COMMENT", F_COMMENT, 0)
KEYWORDS[11] = Keyword(b"PRIMARY", F_PRIMARY, 0)
KEYWORDS[12] = Keyword(b"CONTIG", F_CONTIG, 0)
KEYWORDS[13] = Keyword(b"WGS", F_WGS, 0)
KEYWORDS[14] = Keyword(b"WGS_SCAFLD", F_WGS, 0)
KEYWORDS[15] = Keyword(b"WGS_CONTIG", F_WGS, 0)
KEYWORDS[16] = Keyword(b"TSA", F_WGS, 0)
KEYWORDS[17] = Keyword(b"TLS", F_WGS, 0)
KEYWORDS[18] = Keyword(b"NID", F_OTHER, 0)            # retired 1999
KEYWORDS[19] = Keyword(b"PID", F_OTHER, 0)
KEYWORDS[20] = Keyword(b"MEDLINE", F_OTHER, 0)        # retired 2005 at this level
KEYWORDS[21] = Keyword(b"BASE", F_OTHER, 0)           # BASE COUNT, retired 2003; DDBJ still writes it
KEYWORDS[22] = Keyword(b"DATE", F_OTHER, 0)
KEYWORDS[23] = Keyword(b"TSA_SCAFLD", F_WGS, 0)
KEYWORDS[24] = Keyword(b"TLS_SCAFLD", F_WGS, 0)
KEYWORDS[25] = Keyword(b"SCAFLD", F_WGS, 0)
KEYWORDS[26] = Keyword(b"GI", F_OTHER, 0)
KEYWORDS[27] = Keyword(b"UNIMARK", F_OTHER, 0)        # of the printed editions before 1990
KEYWORDS[28] = Keyword(b"SITES", F_OTHER, 0)
KEYWORDS[29] = Keyword(b"MGA", F_OTHER, 0)            # DDBJ's mass annotation of short tags

cdef Keyword SUBKEYWORDS[7]
SUBKEYWORDS[0] = Keyword(b"AUTHORS", F_REF_TEXT, C_REF_AUTHORS)
SUBKEYWORDS[1] = Keyword(b"CONSRTM", F_REF_TEXT, C_REF_CONSORTIUM)
SUBKEYWORDS[2] = Keyword(b"TITLE", F_REF_TEXT, C_REF_TITLE)
SUBKEYWORDS[3] = Keyword(b"JOURNAL", F_REF_TEXT, C_REF_JOURNAL)
SUBKEYWORDS[4] = Keyword(b"MEDLINE", F_REF_TEXT, C_REF_MEDLINE)
SUBKEYWORDS[5] = Keyword(b"PUBMED", F_REF_TEXT, C_REF_PUBMED)
SUBKEYWORDS[6] = Keyword(b"REMARK", F_REF_TEXT, C_REF_REMARK)
