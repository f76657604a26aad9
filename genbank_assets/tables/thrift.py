"""Thrift's compact protocol, as far as Parquet's metadata needs it: encoding alone.

What the structures mean is Parquet's (``sequence_file``); reading belongs to any Parquet library.
"""

from __future__ import annotations

#: Type as the head of a field says it, and the encoded value.
Value = tuple[int, bytes]


def varint(value: int) -> bytes:
    """Return an unsigned number, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(kind: int, value: int) -> Value:
    return kind, varint(value << 1 if value >= 0 else (-value << 1) - 1)


def i32(value: int) -> Value:
    """Return a number of 32 bits."""
    return _int(5, value)


def i64(value: int) -> Value:
    """Return a number of 64 bits."""
    return _int(6, value)


def binary(value: bytes) -> Value:
    """Bytes or text."""
    return 8, varint(len(value)) + value


def list_of(kind: int, items: list[Value]) -> Value:
    """Values of one type."""
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
    return 9, head + b"".join(value for _, value in items)


def struct(fields: dict[int, Value]) -> Value:
    """Fields by their number, which may leave out at most fifteen at a time."""
    out, last = bytearray(), 0
    for number, (kind, value) in sorted(fields.items()):
        out.append((number - last) << 4 | kind)
        out += value
        last = number
    return 12, bytes(out) + b"\0"
