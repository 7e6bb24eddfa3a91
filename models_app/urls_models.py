from django.urls import path

from models_app import views, views_compare, views_train

app_name = "models"
urlpatterns = [
    path("", views.model_list, name="list"),
    path("train/", views_train.train, name="train"),
    path("train/form/", views_train.train_form, name="train_form"),
    path("train/check/", views_train.train_check, name="train_check"),
    path("compare/", views_compare.compare, name="compare"),
    path("compare/search/", views_compare.search, name="compare_search"),
    path("compare/metrics/", views_compare.metrics, name="compare_metrics"),
    path("compare/metrics.csv", views_compare.metrics_csv, name="compare_csv"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/edit/", views.edit, name="edit"),
    path("<int:pk>/delete/", views.delete, name="delete"),
    path("<int:pk>/settings.json", views.settings_download, name="settings_download"),
    path("<int:pk>/files/<path:name>", views.file_download, name="file"),
]
