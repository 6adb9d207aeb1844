"""Lets the templates of the apps below this one show how far a revision has come."""

from __future__ import annotations

from django import template

from gateway_config.rollout import Rollout, rollout_of
from policies.models import PolicyRevision

register = template.Library()


@register.simple_tag
def rollout_of_revision(revision: PolicyRevision) -> Rollout:
    return rollout_of(revision)
