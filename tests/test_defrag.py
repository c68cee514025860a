from __future__ import annotations

import itertools
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor import counts
from monitor.portable.decode import Decoder
from monitor.portable.defrag import ECHOES, OVERHEAD, Defragmenter, Ranges, cover
from monitor.records import Checksum, Datagram, Fragment, Frame, Limits, Segment
from pcaps.talk import ip
from tests.encapsulations import INNER, PAYLOAD, TEID, gtpu

SRC, DST = b"\x64\x40\x01\x02", b"\xcb\x00\x71\x09"
SECOND = 10**9
OCTETS = bytes(range(64))


def fragment(offset: int, octets: bytes, *, more: bool = True, time_ns: int = 0, **fields: object) -> Fragment:
    return Fragment(time_ns, SRC, DST, 6, 77, offset, more, octets, 0, (), 1)._replace(**fields)


def pieces(octets: bytes, *cuts: int, **fields: object) -> list[Fragment]:
    """`octets` in fragments that end at `cuts`."""
    edges = [0, *cuts, len(octets)]
    return [
        fragment(start, octets[start:end], more=end < len(octets), **fields) for start, end in itertools.pairwise(edges)
    ]


class Bench:
    def __init__(self, **limits: int) -> None:
        self.counts = counts.zeros()
        self.defragmenter = Defragmenter(Limits(**limits), self.counts)

    def feed(self, *fragments: Fragment) -> list[Datagram]:
        return [datagram for each in fragments for datagram in self.defragmenter.feed(each)]

    @property
    def counted(self) -> dict[str, int]:
        return {key: count for key, count in self.counts.items() if count}


@pytest.fixture
def bench() -> Bench:
    return Bench()


@given(st.data())
def test_fragments_in_any_order_and_number_make_one_datagram(data: st.DataObject):
    octets = data.draw(st.binary(min_size=16, max_size=200))
    cuts = data.draw(st.sets(st.integers(1, (len(octets) - 1) // 8), min_size=1))
    whole = pieces(octets, *(8 * cut for cut in sorted(cuts)))
    order = data.draw(st.permutations(whole))
    copies = data.draw(st.lists(st.sampled_from(order[:-1]), max_size=5))
    early = data.draw(st.permutations([*order[:-1], *copies]))
    bench = Bench()
    assert bench.feed(*early) == []
    datagram = Datagram(0, SRC, DST, 6, octets, 0, (), 1, ())
    assert bench.feed(order[-1]) == [datagram]
    assert bench.counted == {"datagrams": 1, "skipped.fragment": len(early)}


class Bitmap:
    """The slow and obvious: every byte by itself."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.fragments: list[Fragment] = []
        self.reached: list[Fragment] = []  # last fragments that had their datagram
        self.contradicted = False

    def feed(self, new: Fragment) -> list[tuple[bytes, int]]:
        if new in self.fragments:
            return []
        self.fragments.append(new)
        covered = {at for f in self.fragments for at in range(f.offset, self.end(f))}
        reached = [f for f in self.fragments if not f.more and covered.issuperset(range(self.end(f)))]
        if reached == self.reached:
            return []
        ends = [self.end(f) for f in reached]
        first = self.read(self.fragments, ends[0])
        last = self.read(self.fragments[::-1], ends[-1])
        self.reached = reached
        if self.contradicted or max(map(self.end, self.fragments)) == max(ends):
            self.forget()
        else:
            self.contradicted = True
        return [first] if first == last else [first, last]

    @staticmethod
    def end(fragment: Fragment) -> int:
        return fragment.offset + len(fragment.data) + fragment.missing

    @staticmethod
    def read(fragments: list[Fragment], end: int) -> tuple[bytes, int]:
        kept = min([end, *(f.offset + len(f.data) for f in fragments if f.missing)])
        octets = []
        for at in range(kept):
            holder = next(f for f in fragments if f.offset <= at < f.offset + len(f.data))
            octets.append(holder.data[at - holder.offset])
        return bytes(octets), end - kept


@given(
    st.lists(
        st.builds(
            fragment,
            st.integers(0, 6).map(lambda n: 8 * n),
            st.binary(max_size=24).map(lambda octets: bytes(b & 1 for b in octets)),
            more=st.booleans(),
            missing=st.sampled_from([0, 0, 0, 5]),
        ),
        max_size=30,
    )
)
@settings(max_examples=400)
def test_any_fragments_are_read_as_by_a_bitmap(fragments: list[Fragment]):
    bench, bitmap = Bench(), Bitmap()
    for each in fragments:
        found, expected = bench.feed(each), bitmap.feed(each)
        assert [(datagram.data, datagram.missing) for datagram in found[:2]] == expected
        assert len(set(found)) == len(found) <= 4
        assert len(found) < 3 or len(expected) == 2  # more than two only where two disagree
        assert {datagram.oddities for datagram in found} <= {(), ("frag_overlap",)}
    made = bench.counts["datagrams"] + bench.counts["skipped.fragment"]
    assert made == len(fragments)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10))))
def test_ranges_are_sorted_apart_and_cover_what_was_added(added: list[tuple[int, int]]):
    ranges: Ranges = []
    for start, length in added:
        cover(ranges, start, start + length)
        assert all(one[1] < other[0] for one, other in itertools.pairwise(ranges))
    assert {at for start, end in ranges for at in range(start, end)} == {
        at for start, length in added for at in range(start, start + length)
    }


def test_fragments_that_disagree_are_read_both_ways(bench: Bench):
    one, two = pieces(OCTETS, 32)
    other = one._replace(data=b"\xff" * 32)
    first, last = bench.feed(one, other, two)
    assert (first.data, last.data) == (OCTETS, other.data + two.data)
    assert first.oddities == last.oddities == ("frag_overlap",)
    assert bench.counted == {"datagrams": 1, "second_readings": 1, "skipped.fragment": 2}


def test_fragments_that_overlap_and_agree_are_no_oddity(bench: Bench):
    (datagram,) = bench.feed(
        fragment(0, OCTETS[:40]), fragment(24, OCTETS[24:48]), fragment(32, OCTETS[32:], more=False)
    )
    assert (datagram.data, datagram.oddities) == (OCTETS, ())


def test_a_number_that_is_used_again_begins_a_new_datagram(bench: Bench):
    assert [d.data for d in bench.feed(*pieces(OCTETS, 32))] == [OCTETS]
    assert [d.data for d in bench.feed(*pieces(OCTETS[::-1], 32))] == [OCTETS[::-1]]


def test_a_hole_is_never_filled(bench: Bench):
    one, _, three = pieces(OCTETS, 24, 32)
    assert bench.feed(one, three) == []
    bench.defragmenter.finish()
    assert bench.counted == {"skipped.fragment": 2, "blind.fragments": 1}


def test_bytes_behind_an_end_are_a_contradiction_and_a_blind_spot(bench: Bench):
    one, _, three = pieces(OCTETS, 24, 32)
    (datagram,) = bench.feed(one, three, fragment(24, b"", more=False))
    assert (datagram.data, datagram.oddities) == (OCTETS[:24], ("frag_overlap",))
    bench.defragmenter.finish()
    assert bench.counts["blind.fragments"] == 1


def test_a_datagram_that_another_end_cuts_short_is_read_to_both(bench: Bench):
    one, two, three = pieces(OCTETS, 24, 48)
    early = fragment(24, OCTETS[24:40], more=False)
    (short,) = bench.feed(three, early, one)
    assert (short.data, short.oddities) == (OCTETS[:40], ("frag_overlap",))
    assert [datagram.data for datagram in bench.feed(two)] == [OCTETS, OCTETS[:40]]
    bench.defragmenter.finish()
    assert bench.counted == {"datagrams": 2, "second_readings": 1, "skipped.fragment": 2}


def test_two_ends_reached_at_once_are_two_datagrams(bench: Bench):
    _, two = pieces(OCTETS, 16)
    first, last = bench.feed(two, fragment(16, OCTETS[16:24], more=False), fragment(0, OCTETS[:16]))
    assert (first.data, last.data) == (OCTETS, OCTETS[:24])


def test_a_contradiction_is_heard_out_once(bench: Bench):
    """Or small frames would have a long datagram put together again and again."""
    one, _, three = pieces(OCTETS, 24, 32)
    bench.feed(one, three)
    ends = [fragment(end, b"", more=False) for end in (8, 16, 24)]
    assert [len(bench.feed(end)) for end in ends] == [1, 2, 0]
    assert bench.counts["blind.fragments"] == 1  # what lies behind the second end


def test_no_datagram_is_longer_than_there_can_be(bench: Bench):
    assert bench.feed(fragment(0, bytes(65528)), fragment(65528, bytes(8), more=False)) == []
    assert [len(d.data) for d in bench.feed(fragment(65528, bytes(7), more=False))] == [65535]


@pytest.mark.parametrize(
    "other",
    [
        {"src": DST},
        {"dst": SRC},
        {"protocol": 17},
        {"ident": 78},
        {"path": (("gtpu", 1),)},
    ],
)
def test_fragments_of_different_datagrams_are_not_mixed(bench: Bench, other: dict[str, object]):
    one, two = pieces(OCTETS, 32)
    assert bench.feed(one, two._replace(**other)) == []
    assert [d.data for d in bench.feed(two)] == [OCTETS]


def test_ipv6_takes_the_protocol_of_the_first_fragment(bench: Bench):
    """RFC 8200 section 4.5: those of later fragments may differ."""
    one, two = pieces(OCTETS, 32, src=bytes(16), dst=bytes(16))
    (datagram,) = bench.feed(two._replace(protocol=17), one)
    assert datagram.protocol == 6


def test_an_empty_first_fragment_may_name_another_protocol(bench: Bench):
    one, two = pieces(OCTETS, 32, src=bytes(16), dst=bytes(16))
    empty = one._replace(protocol=17, data=b"")
    for fragments, protocols in (((empty, one, two), [17, 6]), ((one, empty, two), [6, 17])):
        read = bench.feed(*fragments)
        assert [d.protocol for d in read] == protocols
        assert all(d.data == OCTETS and d.oddities == ("frag_overlap",) for d in read)


def test_a_datagram_has_the_time_of_the_fragment_that_completes_it(bench: Bench):
    one, two = pieces(OCTETS, 32)
    (datagram,) = bench.feed(two._replace(time_ns=5), one._replace(time_ns=9))
    assert datagram.time_ns == 9


def test_what_the_snap_length_cut_is_missing_and_not_awaited(bench: Bench):
    one, two, three = pieces(OCTETS, 24, 48)
    (datagram,) = bench.feed(one, two._replace(data=two.data[:10], missing=14), three)
    assert (datagram.data, datagram.missing, datagram.oddities) == (OCTETS[:34], 30, ())


def test_fragments_wait_as_long_as_the_limit_says():
    bench = Bench(fragment_ns=30 * SECOND)
    one, two = pieces(OCTETS, 32)
    bench.feed(one)
    bench.defragmenter.expire(30 * SECOND)
    assert [d.data for d in bench.feed(two._replace(time_ns=30 * SECOND))] == [OCTETS]
    bench.feed(one._replace(data=OCTETS[32:], time_ns=40 * SECOND))
    bench.defragmenter.expire(71 * SECOND)
    assert bench.counts["blind.fragments"] == 1
    assert bench.feed(two._replace(time_ns=71 * SECOND)) == []


def test_a_number_used_again_later_is_not_mixed_within_one_poll(bench: Bench):
    one, two = pieces(OCTETS, 32)
    bench.feed(one)
    assert bench.feed(two._replace(time_ns=31 * SECOND)) == []
    assert bench.counts["blind.fragments"] == 1


def test_a_clock_that_goes_back_lets_nothing_expire(bench: Bench):
    one, two = pieces(OCTETS, 32)
    bench.defragmenter.expire(1000 * SECOND)
    bench.feed(one._replace(time_ns=5))
    bench.defragmenter.expire(1000 * SECOND)
    assert [d.data for d in bench.feed(two._replace(time_ns=6))] == [OCTETS]


def test_memory_is_bounded_and_the_oldest_goes(bench: Bench):
    bench = Bench(fragments_bytes=10 * (OVERHEAD + 64))
    for ident in range(1000):
        bench.feed(fragment(0, OCTETS, ident=ident))
    shed = {"skipped.fragment": 1000, "shed.defrag": 990, "blind.fragments": 990}
    assert bench.counted == shed | {"memory_bytes.defrag": 10 * (OVERHEAD + 64)}
    end = fragment(64, b"end", more=False)
    assert bench.feed(end._replace(ident=989)) == []
    assert len(bench.feed(end._replace(ident=999))) == 1


def test_copies_take_no_memory():
    bench = Bench(fragments_bytes=OVERHEAD + 64)
    bench.feed(*[fragment(0, OCTETS)] * 100)
    assert bench.counted == {"skipped.fragment": 100, "memory_bytes.defrag": OVERHEAD + 64}


def test_contradictions_without_end_are_bounded_too():
    bench = Bench(fragments_bytes=100 * (OVERHEAD + 8))
    for number in range(1000):
        bench.feed(fragment(8, struct.pack("!Q", number)))
    assert bench.counts["shed.defrag"] == 9


def test_a_mirror_that_shows_every_packet_twice_leaves_no_blind_spot(bench: Bench):
    one, two = pieces(OCTETS, 32)
    assert len(bench.feed(one, one, two, two)) == 1
    bench.defragmenter.finish()
    assert bench.counted == {"datagrams": 1, "skipped.fragment": 3}
    bench.feed(two, one._replace(data=bytes(24)))  # one of them is new
    bench.defragmenter.finish()
    assert bench.counts["blind.fragments"] == 1


def test_what_is_remembered_of_whole_datagrams_is_bounded(bench: Bench):
    old = pieces(OCTETS, 32)
    bench.feed(*old)
    for ident in range(1000, 1000 + ECHOES // 2):
        bench.feed(*pieces(OCTETS, 32, ident=ident))
    bench.feed(old[1])
    bench.defragmenter.finish()
    assert bench.counts["blind.fragments"] == 1


def test_a_long_datagram_in_the_smallest_fragments(bench: Bench):
    octets = random.Random(2).randbytes(65528)
    fragments = pieces(octets, *range(8, 65528, 8))
    random.Random(3).shuffle(fragments)
    assert [d.data for d in bench.feed(*fragments)] == [octets]


@pytest.mark.parametrize("reverse", [False, True])
def test_a_tunnel_whose_outer_packets_are_fragments(reverse: bool):
    """Row 8: the access side's links are shorter than the gateway's packets."""
    datagram = struct.pack("!HHHH", 2152, 2152, 8 + len(gtpu(INNER)), 0) + gtpu(INNER)
    packets = [
        ip("192.0.2.1", "192.0.2.2", 17, datagram[at : at + 24], ident=5, fragment=at // 8 | more)
        for at in range(0, len(datagram), 24)
        for more in [0x2000 if at + 24 < len(datagram) else 0]
    ]
    counted = counts.zeros()
    decoder, defragmenter = Decoder(Limits(), counted), Defragmenter(Limits(), counted)
    found = []
    for packet in packets[:: -1 if reverse else 1]:
        each = decoder.feed(Frame(1, 101, len(packet), packet))
        assert isinstance(each, Fragment)
        found += [decoder.datagram(whole) for whole in defragmenter.feed(each)]
    (segment,) = found
    assert isinstance(segment, Segment)
    assert (segment.payload, segment.checksum) == (PAYLOAD, Checksum.GOOD)
    assert segment.flow.path == (("gtpu", TEID),)
    assert {key: count for key, count in counted.items() if count} == {
        "segments": 1,
        "datagrams": 1,
        "skipped.fragment": len(packets) - 1,
    }
