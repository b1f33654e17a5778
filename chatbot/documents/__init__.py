"""Documents: what they are, what text they hold, and the folder that the deployment mounts."""
