"""The people of this project."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models


class ClerkManager(BaseUserManager["Clerk"]):
    def create_superuser(self, login: str, password: str, **fields: Any) -> "Clerk":
        clerk = self.model(login=login, is_superuser=True, **fields)
        clerk.set_password(password)
        clerk.save(using=self._db)
        return clerk


class Clerk(AbstractBaseUser, PermissionsMixin):
    login = models.CharField(max_length=40, primary_key=True)

    objects = ClerkManager()
    is_staff = True

    USERNAME_FIELD = "login"

    def __str__(self) -> str:
        return self.login
