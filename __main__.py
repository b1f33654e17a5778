"""The Pulumi program: one stack file in, one deployment out."""

import pulumi
from pulumi.runtime.config import CONFIG, get_config_env

from archi.images import ImageError
from archi.settings import SettingsError, from_pulumi
from components.deployment import Deployment, DeploymentArgs

try:
    settings = from_pulumi(pulumi.get_stack(), {**get_config_env(), **CONFIG.get()})
    deployment = Deployment(settings.name, DeploymentArgs(settings))
except (SettingsError, ImageError) as error:
    raise pulumi.RunError(str(error)) from None

pulumi.export("chat_url", deployment.chat_url)
pulumi.export("vllm_url", deployment.vllm_url)
pulumi.export("model", deployment.model)
