"""Documents into readings: which assets a text names, whether its story is new, which way it points."""
