"""Which new connections are kept while memory is short: a share, by a keyed hash of both ends."""

from __future__ import annotations

from monitor.portable.admission import MOST_HALVINGS, STRAIN, Admission
from monitor.records import Flow

CLIENT, SERVER = bytes((100, 64, 1, 2)), bytes((203, 0, 113, 9))


def flow(port: int) -> Flow:
    return Flow(CLIENT, port, SERVER, 80)


def admitted(key: int, strain: int) -> set[int]:
    """Ports."""
    admission = Admission(key)
    for _ in range(strain):
        admission.refuse()
    return {port for port in range(4096) if admission.admits(flow(port))}


def test_the_share_halves_and_whoever_is_in_the_smaller_is_in_the_larger() -> None:
    shares = [admitted(7, strain) for strain in (0, 1, STRAIN + 1, STRAIN * MOST_HALVINGS, STRAIN * 99)]
    assert len(shares[0]) == 4096
    assert 1900 < len(shares[1]) < 2200
    assert 900 < len(shares[2]) < 1150
    assert 40 < len(shares[3]) < 90
    assert shares[0] > shares[1] > shares[2] > shares[3] == shares[4]
    assert admitted(8, 1) != shares[1]


def test_both_directions_and_every_tunnel_share_a_fate() -> None:
    admission = Admission(7)
    admission.refuse()
    for port in range(500):
        src, sport, dst, dport, _ = flow(port)
        back = Flow(dst, dport, src, sport, (("gtpu", 1),))
        assert admission.admits(back) is admission.admits(flow(port))


def test_the_share_is_published_and_comes_back() -> None:
    admission = Admission(7)
    assert admission.refused_permille == 0
    for _ in range(STRAIN + 1):
        admission.refuse()
    assert admission.refused_permille == 750
    admission.ease()
    assert admission.refused_permille == 500
    for _ in range(7):
        admission.relax()
    assert admission.refused_permille == 0


def test_both_engines_choose_the_same() -> None:
    """The same ports stand in engine/src/stream/admission.rs."""
    assert sorted(admitted(7, STRAIN * MOST_HALVINGS))[:4] == [53, 128, 137, 258]
