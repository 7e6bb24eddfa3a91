from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ModelsConfig(AppConfig):
    name = "models_app"
    verbose_name = _("Models")

    def ready(self) -> None:
        from datasets_app import removing
        from models_app import job_kinds, shown

        job_kinds.register()
        removing.ask(shown.in_validations)
