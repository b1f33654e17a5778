"""The Pulumi program: one stack file in, one deployment out."""

import pulumi
from pulumi.runtime.config import (
    CONFIG,
    get_config_env,
    get_config_secret_keys_env,
    is_config_secret,
)

from archi.images import ImageError
from archi.settings import SettingsError, from_pulumi, refuse_missing_secrets
from components.deployment import Deployment, DeploymentArgs

try:
    config = {**get_config_env(), **CONFIG.get()}
    secret_keys = {*get_config_secret_keys_env(), *filter(is_config_secret, config)}
    settings = from_pulumi(pulumi.get_stack(), config, secret_keys)
    for warning in settings.warnings:
        pulumi.log.warn(warning)
    # A preview may be made by who has none of the secrets.
    if pulumi.runtime.is_dry_run():
        for secret in settings.missing_secrets:
            pulumi.log.warn(secret.in_stack_file)
    else:
        refuse_missing_secrets(settings)
    deployment = Deployment(settings.name, DeploymentArgs(settings))
except (SettingsError, ImageError) as error:
    raise pulumi.RunError(str(error)) from None

pulumi.export("chat_url", deployment.chat_url)
pulumi.export("vllm_url", deployment.vllm_url)
pulumi.export("model", deployment.model)
