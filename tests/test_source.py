"""What the sources share."""

from __future__ import annotations

import pytest

from monitor.counts import zeros
from monitor.portable.decode import Decoder
from monitor.portable.source import READABLE, count_frames
from monitor.records import Frame, Limits


def test_frames_are_counted_as_on_the_wire_and_as_captured():
    counts = zeros()
    count_frames(counts, [Frame(0, 1, 1500, bytes(96)), Frame(0, 1, 60, bytes(60))])
    count_frames(counts, [])
    assert {key: count for key, count in counts.items() if count} == {
        "frames": 2,
        "frame_bytes": 1560,
        "captured_bytes": 156,
    }


@pytest.mark.parametrize("link", range(300))
def test_what_is_called_readable_is_what_decode_reads(link):
    counts = zeros()
    Decoder(Limits(), counts).feed(Frame(0, link, 64, bytes(64)))
    assert (counts["skipped.unknown_link"] == 0) == (link in READABLE)
