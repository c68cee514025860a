"""HPACK (RFC 7541): takes the header block of one HTTP/2 message, yields its fields.

A witness may join late or lose bytes, so the dynamic table may lack entries that the sender refers to. Indices count
from the newest entry, and what is missing is always the oldest: an index beyond the known entries is *unresolved*,
never wrong, and decoding goes on. That is also why it does no harm to keep an entry that the sender has evicted.

A block may name one entry thousands of times, an octet each: beyond a kilobyte the same again says no more.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from monitor.records import Fields

DEFAULT_TABLE_BYTES = 4096  # RFC 9113 section 6.5.2
MAX_TABLE_BYTES = 64 * 1024  # the server's SETTINGS, which allow more than the default, lie in the other direction
ENTRY_OVERHEAD = 32  # RFC 7541 section 4.1
REPEATED_BYTES = 1024  # of fields that a block has already, and names again
MAX_INTEGER_SHIFT = 28  # 35 bits; "excessively large integer encodings MUST be treated as decoding errors"

Entry = tuple[bytes | None, bytes]  # None: the name stood in an entry that is missing

# RFC 7541 appendix A, from index 1
STATIC: tuple[Entry, ...] = tuple(
    (name.encode(), value.encode())
    for name, _, value in (
        line.partition(" ")
        for line in """\
:authority
:method GET
:method POST
:path /
:path /index.html
:scheme http
:scheme https
:status 200
:status 204
:status 206
:status 304
:status 400
:status 404
:status 500
accept-charset
accept-encoding gzip, deflate
accept-language
accept-ranges
accept
access-control-allow-origin
age
allow
authorization
cache-control
content-disposition
content-encoding
content-language
content-length
content-location
content-range
content-type
cookie
date
etag
expect
expires
from
host
if-match
if-modified-since
if-none-match
if-range
if-unmodified-since
last-modified
link
location
max-forwards
proxy-authenticate
proxy-authorization
range
referer
refresh
retry-after
server
set-cookie
strict-transport-security
transfer-encoding
user-agent
vary
via
www-authenticate""".splitlines()
    )
)

# RFC 7541 appendix B: the code is canonical, so the bits of each symbol (0 to 255, then EOS) are all there is to it
CODE_BITS = bytes.fromhex(
    "0d171c1c1c1c1c1c1c181e1c1c1e1c1c1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c"
    "060a0a0c0d06080b0a0a080b080606060505050606060606060607080f060c0a"
    "0d06070707070707070707070707070707070707070707070807080d130d0e06"
    "0f05060506050606060507070606060506070605050607070707070f0b0e0d1c"
    "1416141416161617161717171717181718181617181717171715161716171718"
    "1615141616171715171616181516171715151615171617171416161617161617"
    "1a1a1413161716191a1a1a1b1b1a181913151a1b1b1a1b1815151a1a1c1b1b1b"
    "14181415161515171616191918181a171a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a"
    "1e"
)
EOS = 256
NO_SYMBOL = -1


def _code_tree() -> list[list[int]]:
    """Nodes as [next if 0, next if 1]; a leaf is the complement of its symbol."""
    tree = [[0, 0]]
    code = bits = 0
    for symbol in sorted(range(len(CODE_BITS)), key=lambda symbol: (CODE_BITS[symbol], symbol)):
        code <<= CODE_BITS[symbol] - bits
        bits = CODE_BITS[symbol]
        node = 0
        for shift in range(bits - 1, 0, -1):
            branch = code >> shift & 1
            if not tree[node][branch]:
                tree[node][branch] = len(tree)
                tree.append([0, 0])
            node = tree[node][branch]
        tree[node][code & 1] = ~symbol
        code += 1
    return tree


def _nibble_steps(tree: list[list[int]]) -> list[tuple[int, int]]:
    """(next node, symbol or NO_SYMBOL) at node * 16 + nibble; the shortest code has 5 bits, so one symbol is enough."""
    steps = []
    for start in range(len(tree)):
        for nibble in range(16):
            node, symbol = start, NO_SYMBOL
            for shift in (3, 2, 1, 0):
                node = tree[node][nibble >> shift & 1]
                if node < 0:
                    node, symbol = 0, ~node
            steps.append((node, symbol))
    return steps


STEPS = _nibble_steps(_code_tree())


def huffman_decoded(coded: bytes) -> bytes:
    """RFC 7541 section 5.2. Padding is not checked; what follows an EOS is not read."""
    text = bytearray()
    node = 0
    for octet in coded:
        node, first = STEPS[node << 4 | octet >> 4]
        node, second = STEPS[node << 4 | octet & 15]
        for symbol in (first, second):
            if symbol == EOS:
                return bytes(text)
            if symbol != NO_SYMBOL:
                text.append(symbol)
    return bytes(text)


class Block(NamedTuple):
    """What a header block said. The name of a field is b"" where it is not known; its value still counts."""

    fields: Fields
    unresolved: int  # fields of which the name or everything is not known
    whole: bool  # False: the block was cut or malformed, `fields` are what stood before
    bounded: bool  # True: fields were left out because of the bound


class Unreadable(Exception):
    """The rest of a header block cannot be read; does not leave this module."""


class Hpack:
    """The decoder of one direction of one connection; `bound` is for the octets of the fields of one block."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._table: deque[Entry] = deque()  # newest first, as RFC 7541 section 2.3.2 counts
        self.table_bytes = 0  # as RFC 7541 section 4.1 counts them
        self._table_limit = DEFAULT_TABLE_BYTES

    def beside(self) -> Hpack:
        """The same table, to go on by itself."""
        other = Hpack(self._bound)
        other._table = self._table.copy()
        other.table_bytes, other._table_limit = self.table_bytes, self._table_limit
        return other

    def is_like(self, other: Hpack) -> bool:
        """Whether both read on alike."""
        return (self._table_limit, self._table) == (other._table_limit, other._table)

    def forget(self) -> None:
        """Blocks were missed: nothing is known of where the entries stand now."""
        self._table.clear()
        self.table_bytes = 0

    def decode(self, block: bytes) -> Block:
        """RFC 7541 section 6. The table is as unknown as after `forget` when the block was not whole."""
        fields: list[tuple[bytes, bytes]] = []
        named: dict[int, Entry] = {}  # entries that this block added or named; by identity: others may say the same
        size = unresolved = repeated = at = 0
        bounded = False
        try:
            while at < len(block):
                kind = block[at]
                if kind & 0xE0 == 0x20:
                    limit, at = _integer(block, at, 5)
                    self._resize(min(limit, MAX_TABLE_BYTES))
                    continue
                if kind & 0x80:
                    index, at = _integer(block, at, 7)
                    entry = self._entry(index)
                    is_again = id(entry) in named
                    if entry is not None and index > len(STATIC):
                        named[id(entry)] = entry
                else:
                    entry, at = self._literal(block, at, 6 if kind & 0x40 else 4)
                    is_again = False
                    if kind & 0x40:
                        self._insert(entry)
                        named[id(entry)] = entry
                if entry is None:
                    unresolved += 1
                    continue
                name, value = entry
                if name is None:
                    unresolved += 1
                    name = b""
                size += len(name) + len(value) + ENTRY_OVERHEAD
                if size > self._bound:
                    bounded = True  # the table must still be kept
                    continue
                if is_again:
                    repeated += len(name) + len(value) + ENTRY_OVERHEAD
                if not is_again or repeated <= REPEATED_BYTES:
                    fields.append((name, value))
        except Unreadable:
            self.forget()
            return Block(tuple(fields), unresolved, False, bounded)
        return Block(tuple(fields), unresolved, True, bounded)

    def _entry(self, index: int) -> Entry | None:
        if not index:
            raise Unreadable
        if index <= len(STATIC):
            return STATIC[index - 1]
        index -= len(STATIC) + 1
        return self._table[index] if index < len(self._table) else None

    def _literal(self, block: bytes, at: int, prefix_bits: int) -> tuple[Entry, int]:
        index, at = _integer(block, at, prefix_bits)
        name: bytes | None
        if index:
            entry = self._entry(index)
            name = entry and entry[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        return (name, value), at

    def _insert(self, entry: Entry) -> None:
        self._table.appendleft(entry)
        self.table_bytes += _entry_bytes(entry)
        self._resize(self._table_limit)

    def _resize(self, limit: int) -> None:
        """RFC 7541 section 4.3 and 4.4."""
        self._table_limit = limit
        while self.table_bytes > limit:
            self.table_bytes -= _entry_bytes(self._table.pop())


def _entry_bytes(entry: Entry) -> int:
    return len(entry[0] or b"") + len(entry[1]) + ENTRY_OVERHEAD


def _integer(block: bytes, at: int, prefix_bits: int) -> tuple[int, int]:
    """RFC 7541 section 5.1: the value, and where the next octet stands."""
    full = (1 << prefix_bits) - 1
    value = block[at] & full
    at += 1
    if value < full:
        return value, at
    for shift in range(0, MAX_INTEGER_SHIFT + 1, 7):
        if at >= len(block):
            raise Unreadable
        octet = block[at]
        at += 1
        value += (octet & 0x7F) << shift
        if octet < 0x80:
            return value, at
    raise Unreadable


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """RFC 7541 section 5.2."""
    if at >= len(block):
        raise Unreadable
    coded = block[at] & 0x80
    length, at = _integer(block, at, 7)
    end = at + length
    if end > len(block):
        raise Unreadable
    return (huffman_decoded(block[at:end]) if coded else block[at:end]), end
