from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DatasetsConfig(AppConfig):
    name = "datasets_app"
    verbose_name = _("Datasets")

    def ready(self) -> None:
        from datasets_app import job_kinds

        job_kinds.register()
