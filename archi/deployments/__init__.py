"""What is deployed: which deployments there are, their containers, and what is done to them.

Three things know of a deployment: its stack file, Pulumi's state, and Docker, by the label
``archi.deployment``. Each may be there without the others; nothing is found by a name's beginning
or end.
"""
