# Columns as Arrow arrays: buffers are handed over without a copy, and come back to be filled again. How columns grow is
# in columns.pxi.

cdef enum:
    POOL_SLOTS = 2 * ALL_COLS     # values and offsets of each column
    MAX_POOL_BYTES = 32 << 20     # bytes of the pool; what giant records took goes back to the system
    MAX_KEPT_BYTES = 256 << 10    # bytes that a column keeps of what is never handed over


cdef class BufferPool:
    """Blocks that came back from Arrow, one for the values and one for the offsets of each column.

    The next batch but one fills them again. Without them, batch after batch would be carved out of a heap in which
    small blocks lie between the holes: it grows by a third of a megabyte a batch.
    """

    cdef void* blocks[POOL_SLOTS]
    cdef size_t caps[POOL_SLOTS]
    cdef size_t held

    cdef void give(self, int slot, void* p, size_t cap) noexcept:
        if self.blocks[slot] == NULL and self.held + cap <= MAX_POOL_BYTES:
            self.blocks[slot] = p
            self.caps[slot] = cap
            self.held += cap
        else:
            free(p)

    cdef void* take(self, int slot, size_t* cap) noexcept:
        cdef void* p = self.blocks[slot]
        cap[0] = self.caps[slot]
        self.held -= cap[0]
        self.blocks[slot] = NULL
        self.caps[slot] = 0
        return p

    def __dealloc__(self):
        cdef int slot
        for slot in range(POOL_SLOTS):
            free(self.blocks[slot])


@cython.no_gc
cdef class Owned:
    """A malloc'ed block that Arrow may keep: it goes to the pool when the last batch over it is gone."""

    cdef void* p
    cdef Py_ssize_t n
    cdef size_t cap
    cdef int slot
    cdef BufferPool pool

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.p, self.n, 1, flags)

    def __dealloc__(self):
        if self.pool is None:
            free(self.p)
        else:
            self.pool.give(self.slot, self.p, self.cap)


cdef object take_block(void* p, size_t n, BufferPool pool=None, int slot=0, size_t cap=0):
    """Hand a malloc'ed block to Arrow."""
    cdef Owned owner
    try:
        owner = Owned.__new__(Owned)
    except MemoryError:
        free(p)
        raise
    if p == NULL:                 # Arrow wants an address even for no bytes
        p = malloc(1)
        cap = 1
    if p == NULL:
        raise MemoryError
    owner.p = p
    owner.n = <Py_ssize_t> n
    owner.cap = cap
    owner.slot = slot
    owner.pool = pool
    return pa.py_buffer(owner)


cdef object take_validity(Col* c):
    """Validity as Arrow's bitmap, or None when no row is null."""
    cdef size_t i
    cdef uint8_t* bits
    if c.nulls == 0:
        return None
    bits = <uint8_t*> calloc((c.rows + 7) // 8, 1)
    if bits == NULL:
        raise MemoryError
    with nogil:
        for i in range(c.rows):
            bits[i >> 3] |= <uint8_t> ((c.valid[i] & 1) << (i & 7))
    return take_block(bits, (c.rows + 7) // 8)


cdef object take_bools(Col* c):
    """Byte-wide booleans as Arrow's bitmap."""
    cdef size_t i
    cdef uint8_t* bits = <uint8_t*> calloc((c.rows + 7) // 8 + 1, 1)
    if bits == NULL:
        raise MemoryError
    with nogil:
        for i in range(c.rows):
            bits[i >> 3] |= <uint8_t> ((c.data[i] & 1) << (i & 7))
    return take_block(bits, (c.rows + 7) // 8)


cdef object take_values(Col* c, BufferPool pool, int slot):
    """Values to Arrow; the column goes on with a spare block, if there is one."""
    cdef void* p = c.data
    cdef size_t cap = c.cap
    c.data = <uint8_t*> pool.take(slot, &c.cap)
    return take_block(p, c.n, pool, slot, cap)


cdef object take_offsets(Col* c, BufferPool pool, int slot):
    cdef void* p
    cdef size_t cap, spare_cap
    if c.offsets_cap == 0:
        col_row_room(c)
    p = c.offsets
    cap = c.offsets_cap * sizeof(int32_t)
    c.offsets = <int32_t*> pool.take(slot, &spare_cap)
    c.offsets_cap = spare_cap // sizeof(int32_t)
    if c.offsets_cap:
        c.offsets[0] = 0
    return take_block(p, (c.rows + 1) * sizeof(int32_t), pool, slot, cap)


cdef void keep_little(Col* c, bint values) noexcept nogil:
    """Give back what a giant record made of the parts that are never handed over."""
    if c.valid_cap > MAX_KEPT_BYTES:
        free(c.valid)
        c.valid = NULL
        c.valid_cap = 0
    if values and c.cap > MAX_KEPT_BYTES:
        free(c.data)
        c.data = NULL
        c.cap = 0


cdef object take_array(Col* cols, int* at, object type_, BufferPool pool, int first):
    """The next column(s) as an Arrow array; the columns are left empty.

    `at` moves depth first through `cols`, as the schema does; `first` is the number of the first of `cols`.
    """
    cdef Col* c
    cdef int slot
    if pa.types.is_struct(type_):
        children = [take_array(cols, at, type_.field(i).type, pool, first) for i in range(type_.num_fields)]
        return pa.StructArray.from_arrays(children, fields=[type_.field(i) for i in range(type_.num_fields)])
    c = &cols[at[0]]
    slot = 2 * (first + at[0])
    at[0] += 1
    rows, nulls = c.rows, c.nulls
    buffers = [take_validity(c)]
    if c.width <= 0:
        buffers.append(take_offsets(c, pool, slot + 1))
    if pa.types.is_boolean(type_):
        buffers.append(take_bools(c))
    elif c.width >= 0:
        buffers.append(take_values(c, pool, slot))
    keep_little(c, pa.types.is_boolean(type_))
    c.n = c.rows = c.nulls = 0
    col_mark(c)
    if c.width == -1:
        child = take_array(cols, at, type_.value_type, pool, first)
        return pa.Array.from_buffers(type_, rows, buffers, nulls, children=[child])
    return pa.Array.from_buffers(type_, rows, buffers, nulls)


def _widths(schema):
    """(path, width) of every Col of a schema, depth first; the layout the C side is written against."""
    found = []

    def walk(path, type_):
        if pa.types.is_struct(type_):
            for i in range(type_.num_fields):
                walk(f"{path}.{type_.field(i).name}", type_.field(i).type)
        elif pa.types.is_list(type_):
            found.append((path, -1))
            walk(f"{path}[]", type_.value_type)
        elif pa.types.is_string(type_):
            found.append((path, 0))
        elif pa.types.is_boolean(type_):
            found.append((path, 1))
        else:
            found.append((path, type_.bit_width // 8))

    for field in schema:
        walk(field.name, field.type)
    return found
