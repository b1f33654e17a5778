"""Why a container died or an operation failed, and what to change: from its last lines."""

from archi.diagnosis.log_lines import clean, last_error
from archi.diagnosis.rules import Confidence, Diagnosis
from archi.diagnosis.search import diagnose, diagnose_text

__all__ = ["Confidence", "Diagnosis", "clean", "diagnose", "diagnose_text", "last_error"]
