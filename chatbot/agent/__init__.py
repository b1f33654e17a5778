"""What answers: the agent, its model and its tools."""
