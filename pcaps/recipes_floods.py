"""Rows 28 and 85 to 98: loss at random, values against the rules, and each flood of floods.py in small.

What floods cost at full size is measured by `make bench-floods`; here stands what is found of them.
"""

from __future__ import annotations

import random
from base64 import b64encode

from pcaps.floods import FLOODS, SITE, Flood
from pcaps.recipe import FIELD, LEAK, OK, Expectation, allowed, ambiguous, enter, get, leak, recipe
from pcaps.recipes_feed import OTHER, accounting, in_turn
from pcaps.recipes_links import ether, through
from pcaps.recipes_rules import asked
from pcaps.recipes_tunnels import gtpu, outer
from pcaps.talk import MS, Packet, Talk

NEW_YEAR_NS = 1_325_376_000 * 10**9

# --- 28: packets that never came ----------------------------------------------------------------------------------


def lossy(share: float, talks: int) -> list[Packet]:
    """Without this share of the frames: talks of two requests, each request in one frame."""
    frames: list[Packet] = []
    for turn in range(talks):
        talk = Talk(sport=20_000 + turn, time_ns=1_700_000_000_000_000_000 + turn * 20 * MS).open()
        frames += talk.client(LEAK).server(OK).client(LEAK).server(OK).close().frames
    dice = random.Random(f"row 28, {share}")
    return [frame for frame in sorted(frames) if dice.random() >= share]


def enter_loss(name: str, share: float, talks: int, found: int) -> None:
    enter(
        f"x28-{name}-lost", f"Of {2 * talks} requests those that are left when {share:.1%} of all packets are lost.",
        28, leak(times=found), lambda: lossy(share, talks), "gap_bytes", suffix=".pcap.gz",
    )  # fmt: skip


enter_loss("one-in-a-thousand", 0.001, 300, 598)
enter_loss("one-in-a-hundred", 0.01, 150, 296)
enter_loss("five-in-a-hundred", 0.05, 100, 193)

# --- 85: what rules are compared with -----------------------------------------------------------------------------

NEARLY = b"; ".join(
    (
        b"4477009001" * 400,
        b"44-7700-9001." * 300,
        b64encode(b"4477009001") * 200,
        b"4477009001".hex().encode() * 200,
        b"%2534%2534%2537" * 300,
        b"tel:+44" * 500,
    )
)


@recipe(85, leak())
def x85_nearly_a_number() -> Talk:
    """Twenty kilobytes that are nearly numbers, in every form: no reader goes back, and the number behind is found."""
    return Talk().open().client(get(b"Cookie: " + NEARLY, FIELD)).server(OK).close()


@recipe(85, allowed("ageverify.example"), suffix=".pcap.gz")
def x85_nearly_another_path() -> Talk:
    """A path of 60 kB that begins again and again as the agreed one does: it is compared once, from the front."""
    return asked(target=b"/check" * 10_000)


# --- 89: a number that is not the subscriber's --------------------------------------------------------------------


def by_handset(number: bytes) -> list[Packet]:
    """A request of a handset, in its tunnel: it wrote the number itself."""
    return through(
        lambda packet, up: ether(up) / outer(up) / gtpu(packet, 0x1001 if up else 0x2001), asked(number=number)
    )


FORGED = leak("ageverify.example", outcome="client_supplied")
MISMATCH = leak("ageverify.example", outcome="number_mismatch")


@recipe(89, FORGED)
def x89_forged_and_nobody_tells_whose_the_address_is() -> list[Packet]:
    """A handset sends the number of somebody else to a partner: counted as its own doing."""
    return by_handset(OTHER)


@recipe(89, FORGED, "messages")
def x89_forged_number_of_another() -> list[Packet]:
    """The gateway tells who holds the address, and it is somebody else than the handset says."""
    return in_turn(accounting(), by_handset(OTHER))


@recipe(89, FORGED + MISMATCH, "messages")
def x89_forged_before_the_gateway_adds_its_own() -> list[Packet]:
    """The same request behind the gateway, which lets the forged number pass: there it is not the subscriber's."""
    return in_turn(
        accounting(),
        by_handset(OTHER),
        asked(
            number=OTHER,
        ).frames,
    )


# --- 87, 88, 90 to 98: floods -------------------------------------------------------------------------------------


def enter_flood(name: str, flood: Flood) -> None:
    enter(
        f"x{flood.row}-{name}", f"{flood.what % format(flood.small, ',')}: a flood in small.".capitalize(), flood.row,
        found_in(name, flood), lambda: timed(flood), suffix=".pcap.gz",
    )  # fmt: skip


def found_in(name: str, flood: Flood) -> Expectation:
    if name == "hosts":
        return tuple(wanted for n in range(flood.small) for wanted in leak(f"h{n}.shop.example"))
    if name == "folds":
        return ambiguous(SITE, times=1)
    return leak(SITE, times=flood.numbers(flood.small))


def timed(flood: Flood) -> list[Packet]:
    """A hundred thousand packets a second."""
    return [(NEW_YEAR_NS + place * 10_000, frame) for place, frame in enumerate(flood.frames(flood.small))]


for name, flood in FLOODS.items():
    enter_flood(name, flood)
