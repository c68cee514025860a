"""What a client may make us read beyond one reading of its bytes: a stock, and so much for each byte that it sends.

Bytes can be read in several ways, and each way takes its time. Heads of ordinary size may all be read in another way,
for as long as the connection lasts; whoever sends short ones that are odd spends the stock, and what is beyond it is
shed and counted (`shed.readings`). The first way is never stopped.
"""

from __future__ import annotations

STOCK = 128 * 1024  # some hundred short heads
EARNED = 2  # by each byte
HEAD_PRICE = 256  # of reading a head once more, besides its bytes
END_PRICE = 16  # of each CR or LF in lines that are short, in place of their bytes
PART_PRICE = 512  # of a way that parts: it is held, and what it finds is compared
LINE_PRICE = 64  # of looking whether a line begins a head


class Credit:
    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = STOCK

    def __bool__(self) -> bool:
        """Whether anything more may be read in another way. What has begun goes on: the next bytes pay for it."""
        return self.left > 0

    def earn(self, octets: int) -> None:
        self.left = min(STOCK, self.left + EARNED * octets)

    def pay_head(self, octets: int) -> None:
        self.left -= HEAD_PRICE + octets

    def pay_lines(self, block: bytes) -> None:
        """For lines that are read in other ways: short ones cost more than their bytes."""
        ends = block.count(b"\n") + block.count(b"\r")
        self.left -= HEAD_PRICE + max(len(block), END_PRICE * ends)

    def pay_part(self) -> None:
        self.left -= PART_PRICE

    def pay_line(self) -> None:
        self.left -= LINE_PRICE
