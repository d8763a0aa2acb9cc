"""What ends a command early, told in plain words and never as a traceback."""

GOOD, ATTENTION, WRONG_USE = 0, 1, 2


class Trouble(Exception):
    """`code` is the exit code: 1 attention needed, 2 wrong use. `details` are further lines."""

    def __init__(self, message: str, code: int = ATTENTION, *, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


def wrong_use(message: str) -> Trouble:
    return Trouble(message, WRONG_USE)
