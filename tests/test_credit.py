"""The stock that other ways to read are paid from."""

from __future__ import annotations

from monitor.portable.credit import STOCK, Credit


def read_otherwise(octets: int, *, sent: int) -> int:
    """How many heads in a row of so many bytes may be read once more; so many bytes come with each."""
    credit = Credit()
    for head in range(100_000):
        credit.earn(sent)
        if not credit:
            return head
        credit.pay_head(octets)
    return 100_000


def test_heads_of_ordinary_size_may_all_be_read_otherwise() -> None:
    assert read_otherwise(300, sent=300) == 100_000


def test_of_short_ones_some_hundred_may() -> None:
    assert 300 < read_otherwise(28, sent=28) < 1000


def test_short_lines_cost_more_than_their_bytes() -> None:
    def paid(block: bytes) -> int:
        credit = Credit()
        credit.pay_lines(block)
        return STOCK - credit.left

    assert paid(b"A: " + b"x" * 997) < 1300
    assert paid(b"A: b\r\n c\r\n" * 100) > 5 * 1100
    assert paid(b"a\r" * 100) == paid(b"a\n" * 100)


def test_a_way_may_part_from_each_request_of_256_bytes() -> None:
    credit = Credit()
    for _ in range(100_000):
        credit.earn(256)
        assert credit
        credit.pay_part()


def test_nothing_is_saved_up() -> None:
    credit = Credit()
    credit.earn(10**9)
    assert credit.left == STOCK


def test_the_last_one_may_cost_more_than_is_left() -> None:
    credit = Credit()
    credit.pay_head(STOCK)
    assert not credit
    credit.earn(STOCK)
    assert credit
    credit.pay_line()
    assert credit.left < STOCK
