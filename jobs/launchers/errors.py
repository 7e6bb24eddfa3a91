"""What can go wrong with a launcher."""


class Lost(Exception):
    """The program is gone and nobody knows how it ended; the first argument says it in words."""


class LaunchFailed(Exception):
    """The program could not be started; the message says why."""


class NotNow(LaunchFailed):
    """Something that it needs does not answer; it may be different in a while."""
