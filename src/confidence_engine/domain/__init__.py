"""The words that cross walls: events, instruments, documents, orders, decisions, units, errors."""
