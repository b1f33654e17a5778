"""What may be said about a deployment: the typed settings of one stack file."""

from archi.settings.chatbot import ChatbotSettings
from archi.settings.errors import SECRET_KEYS, SettingsError
from archi.settings.load import (
    from_config_file,
    from_mapping,
    from_pulumi,
    from_yaml,
    refuse_missing_secrets,
)
from archi.settings.model import Settings
from archi.settings.services import PostgresSettings, Services
from archi.settings.types import GpuIds, ModelId
from archi.settings.vllm import VllmSettings

__all__ = [
    "SECRET_KEYS",
    "ChatbotSettings",
    "GpuIds",
    "ModelId",
    "PostgresSettings",
    "Services",
    "Settings",
    "SettingsError",
    "VllmSettings",
    "from_config_file",
    "from_mapping",
    "from_pulumi",
    "from_yaml",
    "refuse_missing_secrets",
]
