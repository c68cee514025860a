"""Report in; who held an address at a time, out. Packed: about sixty bytes a session, whatever Python's objects weigh.

What a report says holds from its own time on and not before, however late the question is asked: heads wait until
they are settled, so a question is often older than the latest report. The versions before the present one are kept
for that, a few of each address. So the answer depends on the capture alone, never on how it was cut into batches.

A session ends by its Stop, by a reboot of its gateway (Accounting-On, Accounting-Off), by another session that gets
the address, or when nothing was heard of it for `longest_ns`. Nobody is believed to hold an address while the whole
feed is silent for longer than `silence_ns`: sessions may have ended, and an address that went to another subscriber
would make a gateway look as if it mixed up its customers.
"""

from __future__ import annotations

from array import array
from collections import deque
from enum import StrEnum
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from monitor.verdicts import Holder

MOST_SESSIONS = 10_000_000
MOST_NAMES = 65_535  # APNs, gateways, networks: each is a number of two bytes
MOST_CHANGED = 65_536  # addresses whose versions before the present one are kept
VERSIONS = 3  # of one address, before the present one
GAPS = 16  # silences, and reboots of one gateway, that are remembered
CHUNK = 65_536  # records that memory grows by
LOOKED_AT = 16  # when the table is full: the one of so many that was heard of least recently goes
LATE_NS = 30 * 10**9  # a gateway that tried for longer than this may speak of what is over
RATS = ("", "utran", "geran", "wlan", "gan", "hspa", "eutran", "virtual", "nb-iot", "lte-m", "nr")
_RAT = {name: number for number, name in enumerate(RATS)}


class Status(StrEnum):
    START = "start"
    INTERIM = "interim"
    STOP = "stop"
    ON = "on"
    OFF = "off"


class Report(NamedTuple):
    """One statement of a gateway. Texts are empty where it does not say."""

    time_ns: int  # when it was said
    status: Status
    nas: bytes  # which gateway
    session: bytes  # its name for the session
    addresses: tuple[bytes, ...]  # packed: 4 bytes of IPv4, 8 of an IPv6 prefix
    msisdn: str
    imsi: str
    apn: str
    rat: str  # one of RATS
    network: str  # MCC and MNC of where the handset is
    delay_ns: int = 0  # for so long the gateway has tried to say it

    def __repr__(self) -> str:
        return f"<{self.status} of {len(self.addresses)} addresses>"


class _Record(NamedTuple):
    """One version of what is known of an address."""

    key: bytes
    msisdn: int  # digits with a 1 in front, for an IMSI may begin with 0; 0 where nobody said
    imsi: int
    session: int
    since_ns: int
    until_ns: int  # when it ended, or when something was heard of it last
    apn: int
    nas: int
    network: int
    rat: int
    ended: int


_PACKED = Struct("<8sQQIqqHHHBB")
_EMPTY = -1


class Sessions:
    def __init__(self, longest_ns: int, silence_ns: int, most: int = MOST_SESSIONS) -> None:
        self._longest_ns, self._silence_ns, self._most = longest_ns, silence_ns, most
        self._chunks: list[bytearray] = []
        self._held = 0
        self._index = array("i", [_EMPTY]) * 1024  # open addressing; a place holds the number of a record
        self._hand = 0
        self._before: dict[bytes, tuple[_Record, ...]] = {}
        self._names = {"": 0}
        self._texts = [""]
        self._reboots: dict[int, deque[int]] = {}
        self._silences: deque[tuple[int, int]] = deque(maxlen=GAPS)
        self.heard_ns: int | None = None  # the latest report
        self.shed = 0  # sessions, names and versions that there was no room for

    def believe(self, longest_ns: int, silence_ns: int) -> None:
        """Other bounds from now on."""
        self._longest_ns, self._silence_ns = longest_ns, silence_ns

    def __len__(self) -> int:
        """Addresses that are known, those whose session ended included."""
        return self._held

    @property
    def octets(self) -> int:
        """What the table takes in memory."""
        return sum(map(len, self._chunks)) + self._index.itemsize * len(self._index)

    def feed(self, report: Report) -> None:
        time_ns = report.time_ns
        if self.heard_ns is not None and time_ns - self.heard_ns > self._silence_ns:
            self._silences.append((self.heard_ns + self._silence_ns, time_ns))
        self.heard_ns = time_ns if self.heard_ns is None else max(self.heard_ns, time_ns)
        nas = self._named(report.nas.hex())
        if report.status in (Status.ON, Status.OFF):
            self._reboots.setdefault(nas, deque(maxlen=GAPS)).append(time_ns)
            return
        session = crc32(report.session, crc32(report.nas)) if report.session else 0
        for address in report.addresses:
            key = _key(address)
            number = self._find(key)
            now = None if number is None else self._read(number)
            if report.status is Status.STOP:
                self._stop(key, number, now, session, report)
            else:
                self._go_on(key, number, now, session, nas, report)

    def holder(self, address: bytes, time_ns: int) -> Holder | None:
        """Who held this address (4 or 16 bytes) at this time; None where nobody said so, or the feed was silent."""
        if self.heard_ns is None or time_ns > self.heard_ns + self._silence_ns:
            return None
        key = _key(address[:8] if len(address) == 16 else address)
        number = self._find(key)
        if number is None or any(since < time_ns < until for since, until in self._silences):
            return None
        versions = (self._read(number), *self._before.get(key, ()))
        record = next((version for version in versions if version.since_ns <= time_ns), None)
        if record is None:
            return None
        since_ns, until_ns = record.since_ns, record.until_ns
        if time_ns >= until_ns if record.ended else time_ns - until_ns > self._longest_ns:
            return None
        if any(since_ns < reboot <= time_ns for reboot in self._reboots.get(record.nas, ())):
            return None
        texts = self._texts
        return Holder(
            str(record.msisdn)[1:], str(record.imsi)[1:], texts[record.apn], RATS[record.rat], texts[record.network]
        )

    def _stop(self, key: bytes, number: int | None, now: _Record | None, session: int, report: Report) -> None:
        if number is None or now is None:
            return
        if _same(now, session, report):
            if not now.ended:
                self._write(number, now._replace(until_ns=max(report.time_ns, now.since_ns), ended=1))
        elif versions := self._before.get(key):  # the address has another holder by now
            self._before[key] = tuple(
                version._replace(until_ns=min(version.until_ns, report.time_ns))
                if _same(version, session, report) and version.since_ns <= report.time_ns
                else version
                for version in versions
            )

    def _go_on(
        self, key: bytes, number: int | None, now: _Record | None, session: int, nas: int, report: Report
    ) -> None:
        time_ns = report.time_ns
        told = _Record(
            key, _packed_digits(report.msisdn), _packed_digits(report.imsi), session, time_ns, time_ns,
            self._named(report.apn), nas, self._named(report.network), _RAT.get(report.rat, 0), 0,
        )  # fmt: skip
        if number is None or now is None:
            self._add(told)
            return
        if _same(now, session, report):
            if now.ended and (session or time_ns <= now.until_ns):
                return  # a Start or an interim update that its own Stop overtook
            told = told._replace(
                msisdn=told.msisdn or now.msisdn, imsi=told.imsi or now.imsi, apn=told.apn or now.apn,
                network=told.network or now.network, rat=told.rat or now.rat,
            )  # fmt: skip
            heard_of = not now.ended and time_ns - now.until_ns <= self._longest_ns
            rebooted = any(now.since_ns < reboot <= time_ns for reboot in self._reboots.get(nas, ()))
            if heard_of and not rebooted and told == now._replace(since_ns=time_ns, until_ns=time_ns):
                self._write(number, now._replace(until_ns=max(time_ns, now.until_ns)))
                return
        elif time_ns < now.since_ns or (
            report.delay_ns > LATE_NS and time_ns - report.delay_ns < now.since_ns and not now.ended
        ):
            return  # of a session that was over when the present one began
        if time_ns >= now.since_ns:
            self._remember(now, time_ns)
            self._write(number, told)

    def _remember(self, now: _Record, until_ns: int) -> None:
        """`now` is a version of the past from here on."""
        if not now.ended:
            fresh = until_ns - now.until_ns <= self._longest_ns
            now = now._replace(until_ns=until_ns if fresh else now.until_ns + self._longest_ns + 1, ended=1)
        versions = (now, *self._before.pop(now.key, ()))[:VERSIONS]
        if len(self._before) >= MOST_CHANGED:
            del self._before[next(iter(self._before))]
        self._before[now.key] = versions

    # --- the packed table -----------------------------------------------------------------------------------------

    def _named(self, text: str) -> int:
        number = self._names.get(text)
        if number is None:
            if len(self._texts) > MOST_NAMES:
                self.shed += 1
                return 0
            number = self._names[text] = len(self._texts)
            self._texts.append(text)
        return number

    def _find(self, key: bytes) -> int | None:
        index, mask = self._index, len(self._index) - 1
        place = hash(key) & mask  # of bytes: SipHash with a key of this process
        while (number := index[place]) != _EMPTY:
            chunk, at = self._chunks[number // CHUNK], number % CHUNK * _PACKED.size
            if chunk[at : at + 8] == key:
                return number
            place = (place + 1) & mask
        return None

    def _read(self, number: int) -> _Record:
        return _Record(*_PACKED.unpack_from(self._chunks[number // CHUNK], number % CHUNK * _PACKED.size))

    def _write(self, number: int, record: _Record) -> None:
        _PACKED.pack_into(self._chunks[number // CHUNK], number % CHUNK * _PACKED.size, *record)

    def _add(self, record: _Record) -> None:
        if self._held < self._most:
            number = self._held
            self._held += 1
            if number // CHUNK == len(self._chunks):
                self._chunks.append(bytearray(_PACKED.size * min(CHUNK, self._most)))
        else:
            number = self._give_up_one()
        self._write(number, record)
        if self._held * 3 > len(self._index) * 2:
            self._grow()
        else:
            self._enter(number, record.key)

    def _enter(self, number: int, key: bytes) -> None:
        index, mask = self._index, len(self._index) - 1
        place = hash(key) & mask
        while index[place] != _EMPTY:
            place = (place + 1) & mask
        index[place] = number

    def _grow(self) -> None:
        self._index = array("i", [_EMPTY]) * (2 * len(self._index))
        for number in range(self._held):
            self._enter(number, self._key_of(number))

    def _key_of(self, number: int) -> bytes:
        at = number % CHUNK * _PACKED.size
        return bytes(self._chunks[number // CHUNK][at : at + 8])

    def _give_up_one(self) -> int:
        """The place of the record, of the next few, that was heard of least recently; an ended one first."""
        self.shed += 1
        candidates = [(self._hand + step) % self._held for step in range(min(LOOKED_AT, self._held))]
        self._hand = (self._hand + len(candidates)) % self._held

        def worth(number: int) -> tuple[bool, int]:
            record = self._read(number)
            return not record.ended, record.until_ns

        number = min(candidates, key=worth)
        self._forget(number)
        return number

    def _forget(self, number: int) -> None:
        """Takes a record out of the index; the ones behind it move up (Knuth 6.4, algorithm R)."""
        key = self._key_of(number)
        self._before.pop(key, None)
        index, mask = self._index, len(self._index) - 1
        hole = hash(key) & mask
        while index[hole] != number:
            hole = (hole + 1) & mask
        place = hole
        while True:
            place = (place + 1) & mask
            if index[place] == _EMPTY:
                break
            home = hash(self._key_of(index[place])) & mask
            if (place - home) & mask >= (place - hole) & mask:
                index[hole] = index[place]
                hole = place
        index[hole] = _EMPTY


def _key(address: bytes) -> bytes:
    """Eight bytes of either family; no handset has an IPv6 address that begins with ff."""
    return b"\xff\xff\xff\xff" + address if len(address) == 4 else address


def _packed_digits(digits: str) -> int:
    return int("1" + digits) if digits else 0


def _same(record: _Record, session: int, report: Report) -> bool:
    """Whether the report is of this session; where the gateway gives no name to sessions, the subscriber must do."""
    if session and record.session:
        return session == record.session
    return record.msisdn == _packed_digits(report.msisdn) and record.imsi == _packed_digits(report.imsi)
