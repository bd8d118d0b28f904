"""What we believe: pure, compiled, no clock, no I/O, no randomness. Read `step.py` first."""
