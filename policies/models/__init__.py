from policies.models.grant import Grant
from policies.models.policy import Policy, PolicyRevision

__all__ = ["Grant", "Policy", "PolicyRevision"]
