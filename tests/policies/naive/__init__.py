"""The policy language once more, written from its specification alone, as plainly as it can be said.

Slow and simple on purpose: nothing is cached, nothing is ordered cleverly, no code is shared with the
product. Where both agree on a hundred thousand random policies, a mistake would have to be made twice in the
same way.
"""
