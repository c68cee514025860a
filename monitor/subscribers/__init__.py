"""Who holds this address: a feed of sessions in, the subscriber behind an address at a time out.

radius    Message -> Report: RADIUS accounting on the mirrored traffic (RFC 2866, 3GPP TS 29.061)
table     CSV or JSON -> Report: the same from a file, for tests and for operators with another source
sessions  Report -> which session held an address when, packed, for ten million of them
feed      all of it together, with its counts
codings   every coding of one number, to know it again in a value that cannot be read back

Nothing of it is believed blindly: who may tell is written in network.yaml, what is malformed is counted and dropped,
and a feed that has fallen silent is asked no more.
"""

from monitor.subscribers.feed import Feed

__all__ = ["Feed"]
