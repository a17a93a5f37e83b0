"""The device link, host side: framing, SMP messages, client with retries, and the running board it talks to."""
