from django.urls import path

from models_app import (
    views,
    views_active,
    views_compare,
    views_delete,
    views_export,
    views_import,
    views_list,
    views_repairs,
    views_train,
)

app_name = "models"
urlpatterns = [
    path("", views_list.model_list, name="list"),
    path("states/", views_list.states, name="states"),
    path("active/", views_active.active_list, name="active"),
    path("delete/", views_delete.delete, name="delete"),
    path("import/", views_import.upload, name="import"),
    path("import/<uuid:draft>/", views_import.preview, name="import_draft"),
    path("import/<uuid:draft>/discard/", views_import.discard, name="import_discard"),
    path("train/", views_train.train, name="train"),
    path("train/form/", views_train.train_form, name="train_form"),
    path("train/check/", views_train.train_check, name="train_check"),
    path("compare/", views_compare.compare, name="compare"),
    path("compare/search/", views_compare.search, name="compare_search"),
    path("compare/metrics/", views_compare.metrics, name="compare_metrics"),
    path("compare/metrics.csv", views_compare.metrics_csv, name="compare_csv"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/resume/", views_repairs.resume, name="resume"),
    path("<int:pk>/repair/<slug:repair>/", views_repairs.repair, name="repair"),
    path("<int:pk>/activate/", views_active.activate, name="activate"),
    path("<int:pk>/deactivate/", views_active.deactivate, name="deactivate"),
    path("<int:pk>/export/", views_export.export, name="export"),
    path("<int:pk>/export.zip", views_export.download, name="export_download"),
    path("<int:pk>/settings.json", views.settings_download, name="settings_download"),
    path("<int:pk>/files/<path:name>", views.file_download, name="file"),
]
