"""What is known about a deployment without Pulumi."""
