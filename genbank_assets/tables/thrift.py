"""Encoder for Thrift's compact protocol, as far as Parquet's metadata needs it.

The meaning of the structures belongs to ``sequence_file``.
"""

from __future__ import annotations

#: Type code of a field, and its encoded value.
Value = tuple[int, bytes]


def varint(value: int) -> bytes:
    """Encode an unsigned integer, seven bits per byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _int(kind: int, value: int) -> Value:
    return kind, varint(value << 1 if value >= 0 else (-value << 1) - 1)


def i32(value: int) -> Value:
    """Encode a 32-bit integer."""
    return _int(5, value)


def i64(value: int) -> Value:
    """Encode a 64-bit integer."""
    return _int(6, value)


def binary(value: bytes) -> Value:
    """Encode bytes or text."""
    return 8, varint(len(value)) + value


def list_of(kind: int, items: list[Value]) -> Value:
    """Encode a list of values of one type."""
    head = bytes([len(items) << 4 | kind]) if len(items) < 15 else bytes([0xF0 | kind]) + varint(len(items))
    return 9, head + b"".join(value for _, value in items)


def struct(fields: dict[int, Value]) -> Value:
    """Encode fields by number; up to fifteen consecutive numbers may be unused."""
    out, last = bytearray(), 0
    for number, (kind, value) in sorted(fields.items()):
        out.append((number - last) << 4 | kind)
        out += value
        last = number
    return 12, bytes(out) + b"\0"
