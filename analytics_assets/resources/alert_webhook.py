"""The webhook that alerts are sent to, as a Dagster resource."""

import os

import requests
from dagster import ConfigurableResource
from pydantic import Field

from analytics_assets.source.errors import AnalyticsError

ALERT_WEBHOOK = "ANALYTICS_ALERT_WEBHOOK"
DAGSTER_URL = "ANALYTICS_DAGSTER_URL"
DEFAULT_DAGSTER_URL = "http://127.0.0.1:3000"
SECONDS_TO_ANSWER = 10.0


class AlertNotSentError(AnalyticsError):
    """The webhook did not take an alert. Its address is a secret, so that none is named."""


class AlertWebhook(ConfigurableResource):  # type: ignore[type-arg]  # it provides itself
    """Takes alerts as Slack's incoming webhooks do: a POST of `{"text": ...}`."""

    url: str | None = Field(
        default=None,
        repr=False,
        description=f"Address of the webhook, a secret. Setting: {ALERT_WEBHOOK}. "
        "Dagster shows and stores a text given here: in code, give an EnvVar.",
    )
    dagster_url: str | None = Field(
        default=None,
        description=f"Address of the Dagster UI, for links. Setting: {DAGSTER_URL}; "
        f"default {DEFAULT_DAGSTER_URL}.",
    )

    def is_set(self) -> bool:
        """Whether there is a webhook at all."""
        return bool(self._url())

    def send(self, text: str) -> None:
        """Sends one alert.

        Args:
            text: The message, with links as Slack writes them: `<address|words>`.

        Raises:
            AlertNotSentError: If the webhook does not take it.
        """
        try:
            # A redirect would turn the alert into a question for some other page.
            response = requests.post(
                self._url(),
                json={"text": text},
                timeout=SECONDS_TO_ANSWER,
                allow_redirects=False,
            )
        except (requests.RequestException, ValueError) as error:
            raise AlertNotSentError(
                f"The webhook did not answer ({type(error).__name__}): check {ALERT_WEBHOOK}."
            ) from None
        if not 200 <= response.status_code < 300:
            raise AlertNotSentError(
                f"The webhook answered {response.status_code}: check {ALERT_WEBHOOK}."
            )

    def link_to_run(self, run_id: str) -> str:
        """The address of a run in the Dagster UI."""
        base = self.dagster_url or os.environ.get(DAGSTER_URL) or DEFAULT_DAGSTER_URL
        return f"{base.rstrip('/')}/runs/{run_id}"

    def _url(self) -> str:
        return (self.url or os.environ.get(ALERT_WEBHOOK) or "").strip()
