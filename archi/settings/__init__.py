"""What may be said about a deployment: the typed settings of one stack file."""

from archi.settings.errors import SettingsError
from archi.settings.load import from_mapping, from_pulumi
from archi.settings.model import ChatbotSettings, Services, Settings, VllmSettings
from archi.settings.types import GpuIds, ModelId

__all__ = [
    "ChatbotSettings",
    "GpuIds",
    "ModelId",
    "Services",
    "Settings",
    "SettingsError",
    "VllmSettings",
    "from_mapping",
    "from_pulumi",
]
