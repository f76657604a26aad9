"""Two-bit frames: whatever the text, zstd's decoders read back what went in, at two bits a residue."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from genbank_assets.tables.twobit import two_bit_frame

BLOCK = 128 * 1024


def letters(count: int, *, seed: int = 1) -> bytes:
    return bytes(random.Random(seed).choices(b"ACGT", k=count))


RUNS = st.builds(letters, st.sampled_from([1, 3, 255, 256, 257, 4095, BLOCK - 1, BLOCK, BLOCK + 255, 3 * BLOCK]))
OTHERS = st.builds(
    bytes.__mul__, st.binary(min_size=1, max_size=2), st.sampled_from([1, 8, 15, 16, 17, 300, BLOCK + 1])
)
TEXTS = st.lists(RUNS | OTHERS, max_size=6).map(b"".join)


@settings(suppress_health_check=[HealthCheck.too_slow])  # making the texts is, on a busy machine
@given(text=TEXTS, head=st.binary(max_size=40))
@example(text=letters(2 * BLOCK), head=bytes(BLOCK + 1))
@example(text=letters(BLOCK) + b"N" * BLOCK, head=b"")
@example(text=letters(BLOCK) + b"N" * 15, head=b"")
@example(text=b"N" * 16 + letters(256) + b"RY" + letters(255), head=b"")
def test_decoders_read_back_what_went_in(text: bytes, head: bytes) -> None:
    frame = two_bit_frame(text, head=head)
    assert frame == two_bit_frame(text, head=head, accelerated=False)
    if frame is None:  # what is no nucleotide sequence is left to zstd
        assert sum(text.count(letter) for letter in b"ACGT") < 0.99 * len(text)
        return
    whole = head + text
    assert zstandard.ZstdDecompressor().decompress(frame) == whole
    assert zstandard.get_frame_parameters(frame).content_size == len(whole)
    assert b"".join(zstandard.ZstdDecompressor(max_window_size=BLOCK).read_to_iter(frame)) == whole
    if whole:
        assert pa.Codec("zstd").decompress(frame, decompressed_size=len(whole), asbytes=True) == whole


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_a_residue_takes_two_bits(count: int) -> None:
    frame = two_bit_frame(letters(count))
    assert frame is not None
    assert len(frame) < count / 4 + 30 * (count // BLOCK + 1) + 60


def test_a_gap_takes_a_few_bytes() -> None:
    text = letters(100_000) + b"N" * 50_000 + letters(100_000, seed=2) + b"N" * 100 + letters(1000)
    frame = two_bit_frame(text)
    assert frame is not None
    assert len(frame) < 201_000 / 4 + 300
    assert zstandard.decompress(frame) == text


@pytest.mark.parametrize(
    "text", [b"MKVLAAGIVGLCAKEWHY" * 500, letters(10_000).lower(), b"ACGTN" * 2000, b"\0" + b"ACG\xff" * 500]
)
def test_other_text_is_refused(text: bytes) -> None:
    assert two_bit_frame(text) is None


def test_an_argument_without_a_buffer_is_rejected() -> None:
    with pytest.raises(TypeError):
        two_bit_frame("ACGT")  # type: ignore[arg-type]
