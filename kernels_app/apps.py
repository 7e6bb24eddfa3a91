from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class KernelsConfig(AppConfig):
    name = "kernels_app"
    verbose_name = _("Kernels")

    def ready(self) -> None:
        from kernels_app import registry
        from kernels_app.imports import work

        work.register()
        post_migrate.connect(registry.after_migrate, sender=self)
