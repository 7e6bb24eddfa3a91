from django.urls import path

from models_app import views_reports as reports
from models_app import views_validations as views

app_name = "validations"
urlpatterns = [
    path("", views.validation_list, name="list"),
    path("start/<int:model>/", views.start, name="start"),
    path("<int:pk>/", reports.detail, name="detail"),
    path("<int:pk>/images/<int:image>/", reports.image, name="image"),
    path("<int:pk>/tables/<str:name>/", reports.table, name="table"),
    path("<int:pk>/files/<path:name>", views.file_download, name="file"),
    path("<int:pk>/archive/", views.archive, name="archive"),
    path("<int:pk>/delete/", views.delete, name="delete"),
]
