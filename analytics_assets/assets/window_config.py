"""The run configuration of what can load a window of time again."""

from dagster import Config
from pydantic import Field

from analytics_assets.source.clock import epoch_milliseconds, epoch_milliseconds_now
from analytics_assets.source.errors import SettingError
from analytics_assets.source.window import Window


class WindowConfig(Config):
    """A window to load again; without one, what is new is loaded."""

    start: str | None = Field(
        default=None, description="First moment to load again, as ISO date or time (UTC)."
    )
    end: str | None = Field(
        default=None, description="First moment not to load again, as ISO date or time (UTC)."
    )

    def window(self) -> Window | None:
        """The window, if one is given.

        Raises:
            SettingError: If one end is missing or is no date, the start is not before the end,
                or is in the future.
        """
        if self.start is None and self.end is None:
            return None
        if self.start is None or self.end is None:
            raise SettingError("A window to load again has a `start` and an `end`: give both.")
        window = Window(_epoch(self.start), _epoch(self.end))
        if window.start >= window.end:
            raise SettingError(
                f"A window begins before it ends: {self.start} is not before {self.end}."
            )
        if window.start > epoch_milliseconds_now():
            raise SettingError(
                f"The window begins at {self.start}, which is in the future (UTC): there is "
                "nothing to load again."
            )
        return window


START = "the first day to load again, like 2026-05-01"
END = "the first day not to load again, like 2026-06-01"


class ReloadConfig(WindowConfig):
    """The window of a job that loads nothing but a window: the Launchpad shows what to write."""

    start: str = Field(default=START, description=WindowConfig.model_fields["start"].description)
    end: str = Field(default=END, description=WindowConfig.model_fields["end"].description)

    def window(self) -> Window:
        """The window.

        Raises:
            SettingError: If none is given, and as `WindowConfig.window`.
        """
        window = None if {self.start, self.end} & {START, END, ""} else super().window()
        if window is None:
            raise SettingError(
                "A reload needs a window, and nothing was loaded: choose months on the job's page "
                "under Partitions, or write `start` and `end` in its Launchpad "
                "(docs/operations.md)."
            )
        return window


def _epoch(text: str) -> int:
    try:
        return epoch_milliseconds(text)
    except ValueError:
        raise SettingError(f"{text!r} is no ISO date: write it like 2026-05-31.") from None
