from django.urls import path

from models_app import views_validations as views

app_name = "validations"
urlpatterns = [
    path("", views.validation_list, name="list"),
    path("start/<int:model>/", views.start, name="start"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/images/<int:image>/", views.image, name="image"),
    path("<int:pk>/files/<path:name>", views.file_download, name="file"),
    path("<int:pk>/delete/", views.delete, name="delete"),
]
