"""The device link, host side, and the running board it talks to.

`framing` (bytes and lines), `messages` (SMP and CBOR), `port` (pyserial), `link` (time-outs and retries), `client` (the
device as methods), `samples` (many samples, whole or invalid), `journal` (what was answered, on disk). Streams of
samples: `correction` and `cells` (bytes), `stream` (which cell when), `round_trips`. A bad line: `faults`, `proxy`.
Protocol: docs/manual/link-protocol.md.
"""
