from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class KernelsConfig(AppConfig):
    name = "kernels_app"
    verbose_name = _("Kernels")

    def ready(self) -> None:
        from kernels_app import job_kinds

        job_kinds.register()
        post_migrate.connect(_after_migrate, sender=self)


def _after_migrate(**options: Any) -> None:
    from kernels_app import registry  # here: most processes never migrate, and it takes a tenth of a second

    registry.after_migrate(**options)
