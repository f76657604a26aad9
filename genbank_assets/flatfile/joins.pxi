# How the lines of a value, or of running header text, are joined: where the writer dropped a space and where it cut a
# word (docs/reader.md, decisions 0023 and 0038). What the text alone cannot tell is counted here and becomes one note
# of the record. What a line is for is the business of header.pxi and features.pxi.

cdef enum:
    MIN_BREAKS = 4                # lines that tell a writer: of Biopython's one in seven ends in column 80
    FULL_SHARE = 20               # lines of NCBI's writer to one that it lets end in column 80
    MIN_SHARE = 8                 # lines broken between words to one that was not
    HEADER_WIDTH = 67             # columns 13-79: what NCBI's writer fills of a header line; Biopython's takes one more
    VALUE_WIDTH = 58              # columns 22-79: the same in the feature table

cdef const char* GUESSED[GUESS_KINDS]
GUESSED[G_CUT] = b"a guess: full lines were cut inside a word, no space was put there, first in"
GUESSED[G_HYPHEN] = b"a guess: what follows a comma or hyphen at a line's end, first in"
GUESSED[G_ODD] = b"a guess: lines end where no known writer ends them, a space was put there, first in"
GUESSED[G_LATIN_1] = b"a guess: bytes that are not UTF-8 were read as Latin-1, first in"
GUESSED[G_SENTENCE] = b"a guess: a space was put behind a period or semicolon that ends a line early, first in"
GUESSED[G_BLANKS] = b"a guess: a tab or several blanks at a line's end were read as one space, first in"
GUESSED[G_WORD] = b"a guess: a space was put at a line's end that may have been cut inside a word, first in"


cdef inline size_t characters(const uint8_t* p, size_t n) noexcept nogil:
    """Characters of a UTF-8 text: writers count these, not bytes."""
    cdef size_t i, found = 0
    for i in range(n):
        found += (p[i] & 0xC0) != 0x80
    return found


cdef bint joined_by_space(
    Scan* s, const uint8_t* line, size_t n, size_t width, const uint8_t* next, size_t next_n, size_t blanks, bint header
) noexcept nogil:
    """Whether a space stood where `line` ended; `next`, which is not empty, goes on.

    NCBI's writer breaks at the last space that fits, else after a comma, else after a hyphen, else where the line is
    full (C++ toolkit, NStr::Wrap with fWrap_FlatFile). So a line with a blank broke at a space; a full one without
    blank, comma or hyphen broke inside a word; any other without a blank lost a single space before a word too long
    for it, or ends in the comma or hyphen it was broken after: the latter only if what goes up to the next place as
    good, or better, would not have fitted. Biopython's writer has one column more, cuts values there whatever they
    hold, and never cuts words of the header. `blanks` are those the line itself ended in, or the next began with.
    """
    cdef size_t shown = n if s.plain_record else characters(line, n)
    cdef size_t word = word_of(next, next_n), piece = 0
    cdef uint8_t last
    if n == 0:
        return True
    if next_n == 1 and next[0] == 34 and not header:
        guess(s, G_WORD)              # the closing quote alone: values do not end in a space
        return False
    if blanks:
        if blanks > 1:
            guess(s, G_BLANKS)
        return True
    if has_byte(line, n, 32):
        broke_between_words(s, line[n - 1], shown, width, word, header)
        return True
    if shown > width:
        if not header or shown > width + 1:
            guess(s, G_CUT)
        return header
    last = line[n - 1]
    if last != 44 and last != 45:
        if shown < width or has_byte(line, n, 44) or has_byte(line, n, 45):
            broke_between_words(s, last, shown, width, word, header)
            return True
        if not inside_brackets(line, n, next, word):
            guess(s, G_CUT)
        return False
    while piece < next_n and not is_blank(next[piece]):
        piece += 1
        if next[piece - 1] == 44 or next[piece - 1] == last:
            break
    if shown + piece <= width:
        broke_between_words(s, last, shown, width, word, header)
        return True
    guess(s, G_HYPHEN)
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


cdef bint inside_brackets(const uint8_t* line, size_t n, const uint8_t* next, size_t word) noexcept nogil:
    """A bracket that `line` opened is closed by the word that follows: a list without spaces was cut."""
    cdef size_t at = n
    while at and line[at - 1] != 93 and line[at - 1] != 91:
        at -= 1
    return at > 0 and line[at - 1] == 91 and has_byte(next, word, 93)


cdef void broke_between_words(
    Scan* s, uint8_t last, size_t shown, size_t width, size_t word, bint header
) noexcept nogil:
    """A space was read at a line's end: does a writer that fills its lines with whole words end this one here?

    Paragraphs that end in a period or semicolon begin a line of their own (NCBI's writer), as do the parts of JOURNAL.
    A column less than there is room for was what older writers filled.
    """
    cdef size_t column = shown + (HEADER_WIDTH + 12 if header else VALUE_WIDTH + 21) - width
    cdef Breaks* breaks = &s.header_breaks if header else &s.value_breaks
    if shown > width + 1 or (shown + word + 2 <= width and last != 46 and last != 59):
        if not header or s.field != F_REF_TEXT or s.ref_column != C_REF_JOURNAL:
            guess(s, G_ODD)
            breaks.odd += 1
        return
    if shown + word + 2 <= width:
        if not header or s.field != F_REF_TEXT or s.ref_column != C_REF_JOURNAL:
            guess(s, G_SENTENCE)
        return
    if shown + word == width:
        s.breaks_of_ncbi = True       # the word would have fitted into Biopython's line
    s.full_lines += shown == width + 1
    if breaks.between_words == 0:
        breaks.least_column = breaks.last_column = column
    breaks.least_column = min(breaks.least_column, column)
    if column > breaks.last_column:
        breaks.before_last = breaks.in_last if column == breaks.last_column + 1 else 0
        breaks.in_last = 0
        breaks.last_column = column
    breaks.in_last += column == breaks.last_column
    breaks.before_last += column + 1 == breaks.last_column
    breaks.between_words += 1
    if not header:
        guess(s, G_WORD)


cdef inline bint is_long(Scan* s, const uint8_t* p, size_t n) noexcept nogil:
    """Whether a line of a value goes beyond column 80, Biopython's last."""
    return n > VALUE_WIDTH + 1 and (s.plain_record or characters(p, n) > VALUE_WIDTH + 1)


cdef inline bint differ(size_t column, size_t other) noexcept nogil:
    """By more than the one blank that is lost where a line is cut beside it."""
    return column > other + 1 or other > column + 1


cdef inline bint vary(const Breaks* breaks) noexcept nogil:
    """Lines end in different columns: where more than two in three end in the last, the others lost their blanks."""
    return (breaks.between_words > 1 and differ(breaks.least_column, breaks.last_column)
            and 3 * (breaks.in_last + breaks.before_last) <= 2 * breaks.between_words)


cdef void guess(Scan* s, int kind) noexcept nogil:
    """Count a line's end that could be read in two ways; the first of a kind is remembered by its keyword."""
    cdef const uint8_t* p
    cdef size_t n, at
    s.guesses[kind] += 1
    if s.guesses[kind] == 1:
        if s.section == S_FEATURES:
            p, n = s.key.data, s.key.n
        else:
            p, n = s.field_name, s.field_name_n
        if n == 0:
            p = <const uint8_t*> (b"LOCUS" if s.section == S_HEADER else b"FEATURES")
            n = strlen(<const char*> p)
        n = min(n, <size_t> (GUESS_NAME - 2))
        while n and n < s.key.n and s.section == S_FEATURES and (p[n] & 0xC0) == 0x80:
            n -= 1
        s.guess_names[kind][0] = 32
        s.guess_names[kind][1] = 47
        at = 2 if s.section == S_FEATURES and s.key.n else 1
        memcpy(s.guess_names[kind] + at, p, n)
        s.guess_name_n[kind] = n + at


cdef int note_guesses(Scan* s) except -1 nogil:
    """One note for all line ends of the record that could not be told.

    Word by word a cut and a dropped space look alike. Whether the record's writer wraps words is seen from all its
    lines: they end in different columns, each as late as the next word allows. Fewer than that, or lines that end
    elsewhere, and the spaces are guesses. A header that is wrapped so vouches for values that were broken by hand. A
    line of a value that no wrapping writer leaves so long says that breaks at columns which fit are chance.
    """
    cdef int64_t between_words = s.header_breaks.between_words + s.value_breaks.between_words
    cdef int64_t odd = s.header_breaks.odd + s.value_breaks.odd
    cdef bint wraps = s.header_breaks.between_words > 1 and vary(&s.header_breaks) and s.header_breaks.odd == 0
    cdef bint ncbi = not s.long_lines and (s.breaks_of_ncbi or s.origin_padded or (
        between_words >= MIN_BREAKS and FULL_SHARE * s.full_lines <= between_words))
    cdef bint varied = not s.long_lines and (vary(&s.header_breaks) or vary(&s.value_breaks) or (
        s.header_breaks.between_words and differ(s.header_breaks.last_column, s.value_breaks.last_column)))
    cdef int kind = -1
    if s.guesses[G_LATIN_1]:
        note(s, GUESSED[G_LATIN_1], s.guess_names[G_LATIN_1], s.guess_name_n[G_LATIN_1])
    if s.guesses[G_CUT]:
        kind = G_CUT
    elif MIN_SHARE * odd > between_words and not wraps:
        kind = G_ODD
    elif s.guesses[G_HYPHEN] and not ncbi:
        kind = G_HYPHEN
    elif s.guesses[G_SENTENCE] and not ncbi and not wraps:
        kind = G_SENTENCE
    elif s.guesses[G_WORD] and not varied:
        kind = G_WORD
    elif s.guesses[G_BLANKS]:
        kind = G_BLANKS
    if kind < 0:
        return 0
    return note(s, GUESSED[kind], s.guess_names[kind], s.guess_name_n[kind])
