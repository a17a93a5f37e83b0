"""The product's own demands on its model, on each board of its rig."""

LONGEST_US = 10_000.0


def test_the_board_computes_what_the_reference_does(leadwire):
    assert leadwire.compared.identical == leadwire.compared.samples


def test_it_is_quick_enough(leadwire):
    assert leadwire.benchmark.latency_us.p99 < LONGEST_US


def test_the_same_input_gives_the_same_answer(leadwire):
    data = bytes(leadwire.device.info.input_bytes)
    assert leadwire.device.infer(data) == leadwire.device.infer(data)
