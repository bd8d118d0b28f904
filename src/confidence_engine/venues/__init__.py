"""Orders become fills: the simulated venue here, brokers beside it."""
