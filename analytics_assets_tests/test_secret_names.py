"""Which names are taken for those of secrets, and which only sound so."""

from __future__ import annotations

import pytest

from analytics_assets.configuration.secret_names import Secrecy, secrecy_below, secrecy_of

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
"""

HOLD_SECRETS_AS_TEXT = """
webhook webhookUrl webhook_url hookUrl slackWebhookURL webhookAddress webhookEndpoint hook
inviteUrl inviteLink invite_link magicLink signedUrl presignedUrl resetLink
databaseUrl DATABASE_URL connectionUri redisUrl mongodbUri
otp pin userPin dbPass pwd bearer dsn
"""

ONLY_SOUND_SO = """
tokenCount maxTokens max_tokens promptTokens totalTokens inputTokens tokenType tokenId token_id
tokenLimit edgeConfigTokenId oidcTokenConfig oidcTokenClaims tokenExpiresAt tokenUrl tokenEndpoint
tokenization
secretId sunsetSecretId secretName secretType secretary secretsCount secretVersion
passwordUpdatedAt passwordProtection hasPassword has_password passwordPolicy passwordStrength
passwordRequired isSecretVisible requiresToken canBypass
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
    assert secrecy_of(name) is Secrecy.ALL


@pytest.mark.parametrize("name", HOLD_SECRETS_AS_TEXT.split())
def test_a_name_says_that_a_text_it_holds_is_a_secret(name: str) -> None:
    assert secrecy_of(name) is Secrecy.TEXT


@pytest.mark.parametrize("name", ONLY_SOUND_SO.split())
def test_a_name_that_only_sounds_so_is_none_of_a_secret(name: str) -> None:
    assert secrecy_of(name) is Secrecy.NONE


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
