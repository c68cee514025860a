from __future__ import annotations

import hpack as oracle
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hypothesis import given
from hypothesis import strategies as st

from monitor.portable.hpack import ENTRY_OVERHEAD, MAX_TABLE_BYTES, STATIC, Block, Hpack, huffman_decoded

BOUND = 65536
HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
REQUEST = ((b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com"))


def decoded(*blocks: str) -> list[Block]:
    decoder = Hpack(BOUND)
    return [decoder.decode(bytes.fromhex(block)) for block in blocks]


def test_static_table_is_the_rfcs():
    assert STATIC == oracle.table.HeaderTable.STATIC_TABLE


@pytest.mark.parametrize(
    "blocks",
    [
        # RFC 7541 appendix C.3: without Huffman coding
        [
            "828684410f7777772e6578616d706c652e636f6d",
            "828684be58086e6f2d6361636865",
            "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
        ],
        # appendix C.4: with
        [
            "828684418cf1e3c2e5f23a6ba0ab90f4ff",
            "828684be5886a8eb10649cbf",
            "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        ],
    ],
)
def test_rfc_examples(blocks):
    whole = {"unresolved": 0, "whole": True, "bounded": False}
    assert decoded(*blocks) == [
        Block(REQUEST, **whole),
        Block((*REQUEST, (b"cache-control", b"no-cache")), **whole),
        Block(
            (
                (b":method", b"GET"),
                (b":scheme", b"https"),
                (b":path", b"/index.html"),
                (b":authority", b"www.example.com"),
                (b"custom-key", b"custom-value"),
            ),
            **whole,
        ),
    ]


@given(st.binary())
def test_huffman_is_the_inverse_of_the_encoder(text):
    assert huffman_decoded(HUFFMAN.encode(text)) == text


def test_nothing_is_read_behind_an_end_of_string():
    assert huffman_decoded(HUFFMAN.encode(b"a" * 8)[:5] + b"\xff\xff\xff\xff" + b"\0\0") == b"a" * 8


TOKENS = st.sampled_from([b"x-msisdn", b"accept", b"x-a", b":path", b"cookie", b"x-%d" % 7])
FIELDS = st.lists(st.tuples(TOKENS, st.binary(max_size=60), st.booleans()), max_size=12)


@given(st.lists(st.tuples(FIELDS, st.booleans(), st.sampled_from([None, 0, 64, 100, 4096])), max_size=8))
def test_agrees_with_the_oracle_over_many_blocks(blocks):
    encoder, decoder = oracle.Encoder(), Hpack(BOUND)
    for fields, huffman, table_bytes in blocks:
        if table_bytes is not None:
            encoder.header_table_size = table_bytes
        read = decoder.decode(encoder.encode(fields, huffman=huffman))
        assert read == Block(tuple((name, value) for name, value, _ in fields), 0, True, False)


@given(st.lists(FIELDS, min_size=2, max_size=8), st.data())
def test_a_late_witness_reads_less_but_nothing_wrong(blocks, data):
    encoder = oracle.Encoder()
    coded = [encoder.encode(fields) for fields in blocks]
    joined = data.draw(st.integers(0, len(blocks) - 1))
    decoder = Hpack(BOUND)
    decoder.decode(coded[0])
    decoder.forget()
    for fields, block in zip(blocks[joined:], coded[joined:], strict=True):
        read = decoder.decode(block)
        assert read.whole
        missing = read.unresolved - sum(name == b"" for name, _ in read.fields)
        assert len(read.fields) + missing == len(fields)
        left = iter(fields)
        for name, value in read.fields:  # a subsequence of what was sent, names apart
            assert any(value == sent_value and name in (b"", sent_name) for sent_name, sent_value, _ in left)


def test_a_value_counts_though_its_name_is_unknown():
    [block] = decoded("7e" + "0c" + b"447700900123".hex() + "be" + "bf" + "82")
    assert block.fields == ((b"", b"447700900123"), (b"", b"447700900123"), (b":method", b"GET"))
    assert block.unresolved == 3
    assert block.whole


@pytest.mark.parametrize(
    "tail",
    [
        "80",  # index 0
        "40",  # name missing
        "4001",  # name cut
        "400161",  # value missing
        "40016102ff",  # value cut
        "ff",  # integer cut
        "ffffffffffffffff7f",  # integer too large
        "3fffffffffff7f",
    ],
)
def test_fields_before_an_unreadable_one_are_kept(tail):
    first, second = decoded("82" + "4003782d610131" + tail, "be")
    assert first == Block(((b":method", b"GET"), (b"x-a", b"1")), 0, False, False)
    assert second == Block((), 1, True, False)  # where the entries stand now is not known


def test_a_size_update_evicts_and_the_limit_holds():
    entry = "4001610162"  # a: b, 34 octets
    assert decoded(entry * 2, "be bf", "3f05", "be bf", "3fe11f", entry, "bf")[3:] == [
        Block(((b"a", b"b"),), 1, True, False),
        Block((), 0, True, False),
        Block(((b"a", b"b"),), 0, True, False),
        Block(((b"a", b"b"),), 0, True, False),
    ]
    assert decoded("20" + entry + "be")[0].unresolved == 1  # "an entry larger than the maximum size" empties the table


def test_the_same_entry_again_and_again_says_no_more():
    decoder, field = Hpack(BOUND), (b"a", b"b" * 223)  # 256 octets, as RFC 7541 counts
    long = bytes.fromhex("4001617f60") + field[1]
    assert decoder.decode(long + b"\xbe" * 9).fields == (field,) * 5
    assert decoder.decode(b"\xbe" * 9 + b"\x82").fields == (*(field,) * 5, (b":method", b"GET"))
    assert decoder.decode(long + b"\xbf\xbe").fields == (field,) * 3


def test_a_bomb_is_bounded_and_the_table_kept():
    decoder = Hpack(BOUND)
    bomb = bytes.fromhex("400162") + b"\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 16000
    block = decoder.decode(bomb + bytes.fromhex("4001610162"))
    assert block.bounded
    assert sum(len(name) + len(value) + ENTRY_OVERHEAD for name, value in block.fields) <= BOUND
    assert decoder.decode(b"\xbe").fields == ((b"a", b"b"),)


def test_the_table_is_bounded_whatever_the_sender_allows_itself():
    decoder = Hpack(BOUND)
    decoder.decode(bytes.fromhex("3fffffff7f"))
    for number in range(3000):
        decoder.decode(b"\x40\x06%06d\x00" % number)
    known = decoder.decode(b"\xbe" + b"\xff\x80\x0f" * 3).fields
    assert known[0] == (b"002999", b"")
    assert len(decoder._table) == MAX_TABLE_BYTES // (6 + ENTRY_OVERHEAD)


@given(st.lists(st.binary(max_size=60), max_size=5))
def test_no_bytes_raise(blocks):
    decoder = Hpack(100)
    for block in blocks:
        decoder.decode(block)
