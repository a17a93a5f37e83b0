"""Channels of a Keras model: which must go together (`coupling`), what each is worth (`importance`), which to give up
(`choice`), and the same model without them (`rebuild`)."""
