"""msisdn-monitor: a passive sensor that judges every subscriber number on the wire against the partner agreements."""

__version__ = "0.1.0"
