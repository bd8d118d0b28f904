"""The shell round the kernel: what hands it events and keeps what comes out."""

__all__: list[str] = []
