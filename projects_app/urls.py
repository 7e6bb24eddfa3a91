from django.urls import path

from projects_app import views

app_name = "projects"
urlpatterns = [
    path("", views.settings, name="settings"),
    path("edit/", views.edit, name="edit"),
    path("members/add/", views.member_add, name="member_add"),
    path("members/<int:pk>/role/", views.member_role, name="member_role"),
    path("members/<int:pk>/remove/", views.member_remove, name="member_remove"),
    path("types/", views.types, name="types"),
    path("types/models/add/", views.model_type_add, name="model_type_add"),
    path("types/models/<int:pk>/rename/", views.model_type_rename, name="model_type_rename"),
]
