"""The analytics API: its nine resources, as the user's configuration example lists them.

Everything the project knows about an endpoint stands here. Adding an endpoint is adding a dict
to `resources`: its asset, dependency, table and key follow from it.
"""

from __future__ import annotations

from analytics_assets.configuration.types import ApiConfig, Cadence

PLACEHOLDER_URL = "https://api.example.com"

QUARTER_HOURLY: Cadence = {"cron": "*/15 * * * *", "timezone": "UTC"}
HOURLY: Cadence = {"cron": "5 * * * *", "timezone": "UTC"}
DAILY: Cadence = {"cron": "35 3 * * *", "timezone": "UTC"}

ANALYTICS: ApiConfig = {
    # The address and the token are the user's: the Dagster resource `api` provides them.
    "client": {
        "base_url": PLACEHOLDER_URL,
        "auth": {"type": "bearer"},
    },
    "resource_defaults": {
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {
            "paginator": {
                "type": "cursor",
                "cursor_param": "until",
                "cursor_path": "pagination.next",
            },
        },
    },
    "resources": [
        {
            "name": "projects",
            "description": "What is built and deployed, with framework, repository and settings.",
            "cadence": HOURLY,
            "endpoint": {
                "path": "/v9/projects",
                "data_selector": "projects",
                "params": {"limit": 100},
            },
            # Values of environment variables, and tokens that bypass deployment protection, are
            # secrets: they do not belong in a warehouse.
            "withheld": [
                "env.value",
                "env.vsmValue",
                "env.internalContentHint.encryptedValue",
                "protectionBypass",
            ],
            "fields": {
                "id": "string",
                "accountId": "string",
                "autoAssignCustomDomains": "boolean",
                "autoAssignCustomDomainsUpdatedBy": "string",
                "autoExposeSystemEnvs": "boolean",
                "createdAt": "number",
                "crons": "object",
                "directoryListing": "boolean",
                "env": "array",
                "framework": "string",
                "gitComments": "object",
                "gitForkProtection": "boolean",
                "gitLFS": "boolean",
                "latestDeployments": "array",
                "link": "object",
                "live": "boolean",
                "name": "string",
                "nodeVersion": "string",
                "resourceConfig": "object",
                "serverlessFunctionRegion": "string",
                "sourceFilesOutsideRootDirectory": "boolean",
                "speedInsights": "object",
                "ssoProtection": "object",
                "targets": "object",
                "updatedAt": "number",
                "webAnalytics": "object",
            },
        },
        {
            "name": "teams",
            "description": "Teams the token can see, some in a short form with few fields.",
            "cadence": HOURLY,
            "endpoint": {
                "path": "/v2/teams",
                "data_selector": "teams",
                "params": {"limit": 100},
            },
            "filled_from": {"createdAt": ["created"]},
            "fields": {
                "id": "string",
                "billing": "object",
                "created": "string",
                "createdAt": "number",
                "createdDirectToHobby": "boolean",
                "creatorId": "string",
                "enabledInvoiceItems": "object",
                "featureBlocks": "object",
                "isMigratingToSensitiveEnvVars": "boolean",
                "membership": "object",
                "name": "string",
                "profiles": "array",
                "remoteCaching": "object",
                "resourceConfig": "object",
                "sensitiveEnvironmentVariablePolicy": "string",
                "slug": "string",
                "spaces": "object",
                "stagingPrefix": "string",
                "updatedAt": "number",
            },
        },
        {
            "name": "user",
            "description": "The person the token belongs to: one row.",
            "cadence": DAILY,
            "endpoint": {
                "path": "/v2/user",
                "data_selector": "user",
                "params": {"limit": 100},
            },
            "fields": {
                "id": "string",
                "billing": "object",
                "createdAt": "number",
                "dataCache": "object",
                "defaultTeamId": "string",
                "dismissedToasts": "array",
                "email": "string",
                "featureBlocks": "object",
                "hasTrialAvailable": "boolean",
                "importFlowGitNamespaceId": "number",
                "importFlowGitProvider": "string",
                "remoteCaching": "object",
                "resourceConfig": "object",
                "stagingPrefix": "string",
                "username": "string",
                "version": "string",
            },
        },
        {
            "name": "deployments",
            "description": "Deployments of all projects, with state, creator and git metadata.",
            "cadence": QUARTER_HOURLY,
            "endpoint": {
                "path": "/v6/deployments",
                "data_selector": "deployments",
                "params": {"limit": 100},
                # Newest first, from the newest deployment known. The look-back (`lag`, three days
                # in milliseconds) asks again for deployments whose state may still change.
                "incremental": {
                    "cursor_path": "createdAt",
                    "start_param": "since",
                    "lag": 259_200_000,
                    # A deployment without a date of any kind is a row all the same.
                    "on_cursor_value_missing": "include",
                    # dlt would otherwise take its interval from a surrounding scheduler.
                    "allow_external_schedulers": False,
                },
            },
            "filled_from": {"id": ["uid"], "createdAt": ["created"]},
            "fields": {
                "id": "string",
                "aliasAssigned": "number",
                "buildingAt": "number",
                "created": "number",
                "createdAt": "number",
                "creator": "object",
                "inspectorUrl": "string",
                "isRollbackCandidate": "boolean",
                "meta": "object",
                "name": "string",
                "projectSettings": "object",
                "ready": "number",
                "readyState": "string",
                "readySubstate": "string",
                "source": "string",
                "state": "string",
                "target": "string",
                "type": "string",
                "uid": "string",
                "url": "string",
            },
        },
        {
            "name": "environments",
            "description": "Environment variables of each project; their values are never stored.",
            "cadence": HOURLY,
            "primary_key": ["_projects_id", "id"],
            "include_from_parent": ["id"],
            "endpoint": {
                "path": "/v9/projects/{resources.projects.id}/env",
                "data_selector": "envs",
            },
            # Secrets do not belong in a warehouse. Delete a path here to store its values.
            "withheld": ["value", "vsmValue", "internalContentHint.encryptedValue"],
            "fields": {
                "id": "string",
                "comment": "string",
                "createdAt": "number",
                "createdBy": "string",
                "decrypted": "boolean",
                "key": "string",
                "lastEditedByDisplayName": "string",
                "target": "array",
                "type": "string",
                "updatedAt": "number",
                "value": "string",
                "vsmValue": "string",
            },
        },
        {
            "name": "auth_tokens",
            "description": "The person's access tokens: names, scopes and expiry, not the tokens.",
            "cadence": DAILY,
            "endpoint": {
                "path": "/v5/user/tokens",
                "data_selector": "tokens",
                "params": {"limit": 100},
            },
            "fields": {
                "id": "string",
                "activeAt": "number",
                "createdAt": "number",
                "expiresAt": "number",
                "name": "string",
                "origin": "string",
                "scopes": "array",
                "teamId": "string",
                "type": "string",
            },
        },
        {
            "name": "aliases",
            "description": "Domain names and the deployment each one points to.",
            "cadence": HOURLY,
            "endpoint": {
                "path": "/v4/aliases",
                "data_selector": "aliases",
                "params": {"limit": 100},
            },
            "filled_from": {"id": ["uid"], "createdAt": ["created"]},
            "withheld": ["protectionBypass"],
            "fields": {
                "id": "string",
                "alias": "string",
                "created": "string",
                "createdAt": "number",
                "creator": "object",
                "deployment": "object",
                "deploymentId": "string",
                "projectId": "string",
                "uid": "string",
                "updatedAt": "number",
            },
        },
        {
            "name": "deployment_events",
            "description": "Build log lines and state changes of each deployment.",
            "cadence": QUARTER_HOURLY,
            "primary_key": ["_deployments_id", "id"],
            "include_from_parent": ["id"],
            "endpoint": {
                "path": "/v3/deployments/{resources.deployments.id}/events",
                "data_selector": "$",
                "params": {"limit": 100, "direction": "forward"},
            },
            # The endpoint answers a bare list, cut at `limit` without saying so. The API's
            # description: "Provide `-1` to return all available logs."
            "bare_list": {
                "limit_param": "limit",
                "everything": -1,
                "since_param": "since",
                "time_fields": ["created", "date"],
            },
            "filled_from": {
                "id": ["payload.id"],
                "deploymentId": ["payload.deploymentId", "_deployments_id"],
                "date": ["payload.date"],
                "info": ["payload.info"],
                "serial": ["payload.serial"],
                "text": ["payload.text"],
            },
            "fields": {
                "id": "string",
                "created": "number",
                "date": "number",
                "deploymentId": "string",
                "info": "object",
                "level": "string",
                "serial": "string",
                "text": "string",
                "type": "string",
            },
        },
        {
            "name": "teams_member",
            "description": "Members of each team; one person in two teams is two rows.",
            "cadence": HOURLY,
            "primary_key": ["_teams_id", "id"],
            "include_from_parent": ["id"],
            "endpoint": {
                "path": "/v2/teams/{resources.teams.id}/members",
                "data_selector": "members",
                "params": {"limit": 100},
            },
            "filled_from": {"id": ["uid"], "team_id": ["_teams_id"]},
            "fields": {
                "id": "string",
                "accessGroups": "array",
                "confirmed": "boolean",
                "createdAt": "number",
                "email": "string",
                "github": "object",
                "role": "string",
                "team_id": "string",
                "uid": "string",
                "username": "string",
            },
        },
    ],
}
