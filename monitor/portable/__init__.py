"""The portable engine: plain Python on dpkt.

It runs anywhere, is the readable specification, and is the oracle that the native engine is tested against. Same stages
and names as engine/src; a stage never imports another, engine.py wires them.
"""
