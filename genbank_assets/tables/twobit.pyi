"""Types of the native writer of two-bit frames; see twobit.pyx."""

from typing_extensions import Buffer

def two_bit_frame(residues: Buffer, *, head: Buffer = b"", accelerated: bool = True) -> bytes | None: ...
