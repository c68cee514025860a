"""What no single request shows: a partner who gets too many subscribers, and one who is forgotten."""

from __future__ import annotations

from pcaps.recipe import QUIET, allowed, recipe
from pcaps.recipes_rules import PORTAL, STRANGER, asked
from pcaps.talk import Packet

FOREIGN = b"442079460123"
MINUTE = 60 * 10**9
SIM = "sim.operator.example"


def new_sim_cards(count: int, *, days: int = 1) -> list[Packet]:
    """So many handsets fetch the settings of a new SIM card, a minute apart; on each day the same ones once more."""
    frames: list[Packet] = []
    for day in range(days):
        for number in range(count):
            at = f"2012-01-{12 + day} 12:{number:02}"
            imsi, src = b"0010101%08d" % (number + day * count), f"100.64.2.{number}"
            frames += asked(SIM, PORTAL, b"/", b"X-IMSI", imsi, src, at).frames
    return frames


def evening(minutes: int, step: int, *, portal_at: tuple[int, ...] = ()) -> list[Packet]:
    """Customers type foreign numbers into a shop, every `step` minutes; the portal gets its number at some of them."""
    frames: list[Packet] = []
    for minute in range(0, minutes, step):
        at = f"2012-01-12 {20 + minute // 60}:{minute % 60:02}"
        seq = minute * 15_000_000  # as the clock of RFC 9293 section 3.4.1 counts
        typed = asked("shop.example", STRANGER, b"/?tel=" + FOREIGN, b"X-MSISDN", FOREIGN, "100.64.1.9", at, seq)
        frames += typed.frames
        if minute in portal_at:
            seen = asked(
                "portal.operator.example", PORTAL, b"/", b"X-Up-Calling-Line-ID", src="100.64.1.8", at=at, seq=seq
            )
            frames += [(time_ns + MINUTE // 60, frame) for time_ns, frame in seen.frames]
    return sorted(frames)


@recipe("conditions", allowed(SIM, times=11))
def c01_over_volume() -> list[Packet]:
    """Each number is allowed, but ten subscribers a day were agreed and eleven came."""
    return new_sim_cards(11)


@recipe("conditions", allowed(SIM, times=20))
def c02_as_many_as_agreed() -> list[Packet]:
    """Ten on one day and ten others on the next."""
    return new_sim_cards(10, days=2)


@recipe("conditions", QUIET)
def c03_partners_forgotten() -> list[Packet]:
    """Requests come in for an hour and a half, and no partner gets what was agreed: the gateway forgot them."""
    return evening(90, 1)


@recipe("conditions", allowed("portal.operator.example", times=4))
def c04_partner_remembered_late() -> list[Packet]:
    """The portal gets its numbers, then nothing for longer than agreed, then something again."""
    return evening(90, 1, portal_at=(0, 20, 70, 80))


@recipe("conditions", QUIET)
def c05_quiet_evening() -> list[Packet]:
    """Hardly a request in four hours: who gets nothing then is not forgotten."""
    return evening(230, 20)
