"""Which names are taken for those of secrets, and which only sound so."""

from __future__ import annotations

import pytest

from analytics_assets.configuration.secret_names import (
    ALL,
    MANY,
    NONE,
    TEXT,
    VALUE,
    opens_in_query,
    secrecy_below,
    secrecy_of,
    without_secret,
)

HOLD_SECRETS = """
password Password PASSWORD userPassword db_password passwd passwordHash password2 passwords
passphrase passcode
secret secrets clientSecret client_secret CLIENT_SECRET client-secret clientsecret
ClientSecretValue webhookSecret secretValue
token tokens accessToken access_token refreshToken REFRESH_TOKEN idToken authToken apiToken
bearerToken csrfToken tokenHash tokenValue
apiKey api_key API-Key x-api-key X_API_KEY apikey APIKeys privateKey private_key signingKey
encryptionKey accessKey secretKey secretAccessKey sessionKey sshKey deployKey accountKey
bypass protectionBypass protection_bypass bypasses automationBypassSecret
inviteCode invite_code INVITECODE invitationCode joinCode recoveryCodes backupCodes
verificationCode credential credentials gitCredentials connectionString connection_string
cookie cookies sessionCookie authorization Authorization jwt
encryptedValue deployHook deployHooks
passwordV2 secretV2 tokenV2 passwordOld newPasswordConfirmation privateKeyPem private_key_pem
privateKeyPEM privateKeyData privateKeyB64 privateKeyBase64 privatekeypem
"""

HOLD_SECRETS_AS_TEXT = """
webhook webhookUrl webhook_url hookUrl slackWebhookURL webhookAddress webhookEndpoint hook
inviteUrl inviteLink invite_link magicLink signedUrl presignedUrl resetLink
databaseUrl DATABASE_URL connectionUri redisUrl mongodbUri dsn
webhookTarget webhookTargetUrl webhookDestination
dbPass dbpass hasPassword has_password requiresToken canBypass hasSecret isSecret usesToken
"""

HOLD_SECRETS_AS_TEXT_OR_NUMBER = """
otp pin userPin pwd userpwd bearer cvv
"""

ONLY_SOUND_SO = """
tokenCount maxTokens max_tokens promptTokens totalTokens inputTokens tokenType tokenId token_id
tokenLimit edgeConfigTokenId oidcTokenConfig oidcTokenClaims tokenExpiresAt tokenUrl tokenEndpoint
tokenization
secretId sunsetSecretId secretName secretType secretary secretsCount secretVersion
passwordUpdatedAt passwordProtection passwordPolicy passwordStrength
passwordRequired isSecretVisible passwordCount
gitCredentialId credentialType firewallBypassIps bypassReason bypassEnabled
key keyName keys publicKey publishableKey primaryKey sortKey cacheKey accessKeyId apiKeyId monkey
inviteCodeExpiresAt invitedBy code errorCode statusCode redirectStatusCode postalCode countryCode
cookieName cookieConsent cookiePolicy authorizationStatus authorized authorName author oauth
sessionId session connection connectionId connectConfigurationId
url inspectorUrl avatarUrl callbackUrl redirectUrl webhookId webhookEvents hookName hookCount
compass bypassed spin shipping mapping pinned opinion passed passing passengers encompass
encrypted decrypted encryption sensitive private signature sign env environment value
"""


@pytest.mark.parametrize("name", HOLD_SECRETS.split())
def test_a_name_says_that_whatever_it_holds_is_a_secret(name: str) -> None:
    # The number of `tokens` is a count.
    assert secrecy_of(name) == (MANY if name.casefold().endswith("s") else ALL)


@pytest.mark.parametrize("name", HOLD_SECRETS_AS_TEXT.split())
def test_a_name_says_that_a_text_it_holds_is_a_secret(name: str) -> None:
    assert secrecy_of(name) == TEXT


@pytest.mark.parametrize("name", HOLD_SECRETS_AS_TEXT_OR_NUMBER.split())
def test_a_name_says_that_a_text_or_number_it_holds_is_a_secret(name: str) -> None:
    assert secrecy_of(name) == VALUE


@pytest.mark.parametrize("name", ONLY_SOUND_SO.split())
def test_a_name_that_only_sounds_so_is_none_of_a_secret(name: str) -> None:
    assert secrecy_of(name) == NONE


@pytest.mark.parametrize(
    ("context", "name", "is_secret"),
    [
        ("webhook", "url", True),
        ("deployHooks", "url", True),
        ("SLACK_WEBHOOKS", "endpoint", True),
        ("invite", "code", True),
        ("invitations", "link", True),
        ("api", "key", True),
        ("env", "value", True),
        ("database", "url", True),
        ("webhook", "target", True),
        ("webhook", "targetUrl", True),
        ("webhooks", "to", True),
        ("notificationWebhooks", "destination", True),
        ("mail", "to", False),
        ("env", "target", False),
        ("project", "url", False),
        ("error", "code", False),
        ("license", "key", False),
        ("webhook", "id", False),
        ("env", "key", False),
        ("anything", "password", True),
    ],
)
def test_what_a_common_name_holds_depends_on_the_object_it_is_in(
    context: str, name: str, is_secret: bool
) -> None:
    assert bool(secrecy_below(context, name)) is is_secret


OPEN = """
api_key apiKey API-KEY key access_key auth_token token secret client_secret app_key appid sig
signature sign hmac password pass code subscription-key ocp-apim-subscription-key x-functions-key
hapikey private_token session sid jwt user_key accessToken[value] auth[token] credentials
api_token_v2 apikey2 sas X-Amz-Signature X-Amz-Credential x-goog-signature %74oken token[]
Authorization X-Api-Key Cookie X-Auth
"""
OPEN_NOTHING = """
page limit cursor until since teamId client_id keyId design keyboard codec Accept User-Agent
"""


@pytest.mark.parametrize("name", OPEN.split())
def test_a_parameter_or_header_proves_who_asks(name: str) -> None:
    assert opens_in_query(name)


@pytest.mark.parametrize("name", OPEN_NOTHING.split())
def test_a_parameter_or_header_proves_nothing(name: str) -> None:
    assert not opens_in_query(name)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("api_secret_4f1d9cabcdef", "api_secret_*"),
        ("api-token-canary-4f1d9c", "api-token-*"),
        ("client_secret_v2", "client_secret_v2"),
        ("token_20240101", "token_20240101"),
        ("secret_version_2024Q3a1", "secret_version_2024Q3a1"),
        ("note_4f1d9cabcdef", "note_4f1d9cabcdef"),
    ],
)
def test_a_name_that_ends_in_a_secret_is_shown_without_it(name: str, known: str) -> None:
    assert without_secret(name) == known
