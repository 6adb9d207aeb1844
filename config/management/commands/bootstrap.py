"""Creates an owner with an organization and an API key, for automation. Secrets are printed only once."""

from __future__ import annotations

import json
import secrets
from argparse import ArgumentParser
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.permissions import SCOPES
from accounts.services import create_api_key, found_organization
from accounts.tenancy import APP_ROLE, become, organization_context
from common.ids import public_id


class Command(BaseCommand):
    help = "Makes an owner, an organization and an API key with every scope; prints them once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--organization", required=True)
        parser.add_argument("--password", help="Left out: one is made.")
        parser.add_argument("--json", action="store_true", help="One JSON object instead of lines.")
        parser.add_argument("--data-dir", help="The data folder of the running product to work on.")

    def handle(self, *args: Any, **options: Any) -> None:
        password = options["password"] or secrets.token_urlsafe(18)
        made = _make(options["email"].strip().lower(), options["organization"], password)
        if options["json"]:
            self.stdout.write(json.dumps(made))
            return
        self.stdout.write(f"e-mail        {made['email']}")
        self.stdout.write(f"password      {made['password']}")
        self.stdout.write(f"organization  {made['organization']['name']} ({made['organization']['id']})")
        self.stdout.write(f"API key       {made['api_key']}")


@transaction.atomic
def _make(email: str, organization: str, password: str) -> dict[str, Any]:
    become(APP_ROLE)
    user = _owner(email, password)
    member = found_organization(user, organization)
    with organization_context(member.organization_id):
        _, token = create_api_key(member, "bootstrap", SCOPES)
    return {
        "email": email,
        "password": password,
        "organization": {
            "id": public_id("org", member.organization_id),
            "name": member.organization.name,
        },
        "api_key": token,
    }


def _owner(email: str, password: str) -> User:
    try:
        validate_email(email)
        validate_password(password, User(email=email))
    except ValidationError as wrong:
        raise CommandError(" ".join(wrong.messages)) from None
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password)
    except IntegrityError:
        raise CommandError(f"Someone has already signed up as {email}.") from None
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user
